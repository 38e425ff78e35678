import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.connect.mirror.Checkpoint;
import org.apache.kafka.connect.mirror.Heartbeat;
import org.apache.kafka.connect.mirror.MirrorClient;
import org.apache.kafka.connect.mirror.OffsetSync;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/**
 * Reads at a destination what MirrorMaker 2's own classes make of it, and prints a line for each thing that they say.
 *
 * Arguments: bootstrap=host:port source=alias group=id checkpoints=topic syncs=topic heartbeats=topic
 */
public class Mm2Reader {
    static final Duration TIMEOUT = Duration.ofSeconds(30);

    public static void main(String[] args) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (String arg : args) given.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
        String bootstrap = given.get("bootstrap");
        for (ConsumerRecord<byte[], byte[]> record : readAll(bootstrap, given.get("checkpoints"))) System.out.println(Checkpoint.deserializeRecord(record));
        for (ConsumerRecord<byte[], byte[]> record : readAll(bootstrap, given.get("syncs"))) System.out.println(OffsetSync.deserializeRecord(record));
        for (ConsumerRecord<byte[], byte[]> record : readAll(bootstrap, given.get("heartbeats"))) System.out.println(Heartbeat.deserializeRecord(record));

        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap);
        String source = given.get("source");
        try (MirrorClient client = new MirrorClient(config)) {
            print("remoteConsumerOffsets", client.remoteConsumerOffsets(given.get("group"), source, TIMEOUT));
            System.out.println("checkpointTopics " + client.checkpointTopics());
            System.out.println("heartbeatTopics " + client.heartbeatTopics());
            System.out.println("upstreamClusters " + client.upstreamClusters());
            System.out.println("replicationHops " + client.replicationHops(source));
        }
        print("translateOffsets", RemoteClusterUtils.translateOffsets(config, source, given.get("group"), TIMEOUT));
    }

    static void print(String what, Map<TopicPartition, OffsetAndMetadata> offsets) {
        Map<String, String> sorted = new TreeMap<>();
        offsets.forEach((partition, offset) -> sorted.put(partition.toString(), offset.offset() + " '" + offset.metadata() + "'"));
        System.out.println(what + " " + sorted);
    }

    static List<ConsumerRecord<byte[], byte[]>> readAll(String bootstrap, String topic) {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("key.deserializer", ByteArrayDeserializer.class.getName());
        config.put("value.deserializer", ByteArrayDeserializer.class.getName());
        config.put("auto.offset.reset", "none");
        List<ConsumerRecord<byte[], byte[]>> records = new java.util.ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config)) {
            List<TopicPartition> assigned = List.of(new TopicPartition(topic, 0));
            consumer.assign(assigned);
            consumer.seekToBeginning(assigned);
            long end = consumer.endOffsets(assigned).get(assigned.get(0));
            long deadline = System.nanoTime() + TIMEOUT.toNanos();
            while (consumer.position(assigned.get(0)) < end) {
                if (System.nanoTime() > deadline) throw new IllegalStateException(topic + " could not be read to its end");
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            }
        }
        return records;
    }
}
