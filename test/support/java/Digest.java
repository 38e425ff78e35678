import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads topics whole, as a reader that only sees committed records, and boils each partition down to one line: a source
 * and its copy hold the same records in the same order exactly when their digests are equal. The digest covers key,
 * value, headers in their order (but not farlog's own) and timestamp; not offsets, which a copy may not share.
 *
 * Apart from the digest it judges the copy by its provenance headers, and what Produce wrote by its numbers.
 *
 * Arguments: bootstrap=host:port,… topics=a,b,… and timeoutSeconds=N without any new record until it gives up.
 */
public class Digest {
    static final String ORIGIN = "farlog.origin";
    /** No length that a header's key could have. */
    static final int END_OF_HEADERS = -2;
    static final byte[] SEQ_FIELD = "{\"seq\":".getBytes(StandardCharsets.US_ASCII);
    static final byte[] ABORTED_FIELD = "{\"aborted\":".getBytes(StandardCharsets.US_ASCII);

    public static void main(String[] args) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (String arg : args) given.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
        long timeoutSeconds = Long.parseLong(given.getOrDefault("timeoutSeconds", "60"));
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(consumerConfig(given.get("bootstrap")))) {
            Map<TopicPartition, Partition> partitions = readAll(consumer, partitionsOf(consumer, given.get("topics").split(",")), timeoutSeconds);
            for (Map.Entry<TopicPartition, Partition> entry : partitions.entrySet()) {
                System.out.println(entry.getValue().json(entry.getKey()));
            }
        }
    }

    static Properties consumerConfig(String bootstrap) {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("key.deserializer", ByteArrayDeserializer.class.getName());
        config.put("value.deserializer", ByteArrayDeserializer.class.getName());
        config.put("isolation.level", "read_committed");
        config.put("auto.offset.reset", "none");
        config.put("max.poll.records", "5000");
        config.put("max.partition.fetch.bytes", "2097152");
        config.put("fetch.max.bytes", "33554432");
        return config;
    }

    static List<TopicPartition> partitionsOf(KafkaConsumer<?, ?> consumer, String[] topics) {
        List<TopicPartition> partitions = new ArrayList<>();
        for (String topic : topics) {
            var infos = consumer.partitionsFor(topic);
            if (infos.isEmpty()) throw new IllegalArgumentException("No such topic: " + topic);
            infos.forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        }
        return partitions;
    }

    /** Up to the ends that the partitions have at the start; a partition that reached its end is paused. */
    static Map<TopicPartition, Partition> readAll(KafkaConsumer<byte[], byte[]> consumer, List<TopicPartition> assigned, long timeoutSeconds)
        throws Exception {
        Map<TopicPartition, Partition> partitions = new TreeMap<>(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition));
        for (TopicPartition partition : assigned) partitions.put(partition, new Partition());
        consumer.assign(assigned);
        consumer.seekToBeginning(assigned);
        Map<TopicPartition, Long> left = new HashMap<>(consumer.endOffsets(assigned));
        long lastProgress = System.nanoTime();
        for (;;) {
            left.entrySet().removeIf(entry -> {
                boolean done = consumer.position(entry.getKey()) >= entry.getValue();
                if (done) consumer.pause(List.of(entry.getKey()));
                return done;
            });
            if (left.isEmpty()) return partitions;
            ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(500));
            for (TopicPartition partition : polled.partitions()) {
                Partition seen = partitions.get(partition);
                long end = left.get(partition);
                for (ConsumerRecord<byte[], byte[]> record : polled.records(partition)) {
                    if (record.offset() < end) seen.add(record);
                }
            }
            if (!polled.isEmpty()) lastProgress = System.nanoTime();
            else if (System.nanoTime() - lastProgress > timeoutSeconds * 1_000_000_000L) {
                throw new IllegalStateException("No record for " + timeoutSeconds + " s; still to read, with their ends: " + left);
            }
        }
    }

    static class Partition {
        private final MessageDigest digest = sha256();
        private final ByteBuffer number = ByteBuffer.allocate(8);
        private final Map<String, Origin> origins = new HashMap<>();
        private long records;
        private long notExactlyOneOrigin;
        private long originNotIncreasing;
        private long duplicates;
        private long aborted;
        private long sequenceBreaks;
        private long lastNumber = -1;

        void add(ConsumerRecord<byte[], byte[]> record) {
            records++;
            updateBytes(record.key());
            updateBytes(record.value());
            byte[] origin = null;
            byte[] numberHeader = null;
            int originCount = 0;
            for (Header header : record.headers()) {
                if (header.key().equals(ORIGIN)) {
                    origin = header.value();
                    originCount++;
                    continue;
                }
                if (header.key().equals("seq")) numberHeader = header.value();
                updateBytes(header.key().getBytes(StandardCharsets.UTF_8));
                updateBytes(header.value());
            }
            updateInt(END_OF_HEADERS);
            updateLong(record.timestamp());
            if (originCount != 1) notExactlyOneOrigin++;
            if (origin != null) checkOrigin(new String(origin, StandardCharsets.US_ASCII));
            checkNumber(record.value(), numberHeader);
        }

        /** alias/topic/partition/offset of the last hop: within one source partition, offsets must only rise. */
        private void checkOrigin(String origin) {
            int slash = origin.lastIndexOf('/');
            long offset = Long.parseLong(origin.substring(slash + 1));
            Origin seen = origins.computeIfAbsent(origin.substring(0, slash), name -> new Origin());
            if (offset <= seen.last) originNotIncreasing++;
            if (seen.offsets.get(Math.toIntExact(offset))) duplicates++;
            seen.offsets.set(Math.toIntExact(offset));
            seen.last = offset;
        }

        /** Produce numbers the records of a partition 0, 1, 2, …; a new run of it may start over. */
        private void checkNumber(byte[] value, byte[] numberHeader) {
            if (value != null && startsWith(value, ABORTED_FIELD)) {
                aborted++;
                return;
            }
            long found;
            if (value != null && startsWith(value, SEQ_FIELD)) found = digits(value, SEQ_FIELD.length);
            else if (numberHeader != null) found = digits(numberHeader, 0);
            else return;
            if (found != lastNumber + 1 && found != 0) sequenceBreaks++;
            lastNumber = found;
        }

        private static boolean startsWith(byte[] bytes, byte[] start) {
            if (bytes.length < start.length) return false;
            for (int i = 0; i < start.length; i++) if (bytes[i] != start[i]) return false;
            return true;
        }

        private static long digits(byte[] bytes, int from) {
            long result = 0;
            for (int i = from; i < bytes.length && bytes[i] >= '0' && bytes[i] <= '9'; i++) result = result * 10 + bytes[i] - '0';
            return result;
        }

        private void updateBytes(byte[] bytes) {
            updateInt(bytes == null ? -1 : bytes.length);
            if (bytes != null) digest.update(bytes);
        }

        private void updateInt(int value) {
            digest.update(number.clear().putInt(value).array(), 0, 4);
        }

        private void updateLong(long value) {
            digest.update(number.clear().putLong(value).array(), 0, 8);
        }

        private static MessageDigest sha256() {
            try {
                return MessageDigest.getInstance("SHA-256");
            } catch (java.security.NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }

        String json(TopicPartition partition) {
            return "{\"topic\":\"" + partition.topic() + "\",\"partition\":" + partition.partition()
                + ",\"records\":" + records + ",\"digest\":\"" + HexFormat.of().formatHex(digest.digest())
                + "\",\"notExactlyOneOrigin\":" + notExactlyOneOrigin + ",\"originNotIncreasing\":" + originNotIncreasing
                + ",\"duplicates\":" + duplicates + ",\"aborted\":" + aborted + ",\"sequenceBreaks\":" + sequenceBreaks + "}";
        }
    }

    /** Offsets seen from one source partition: a bit each, so ten million records take about a megabyte. */
    static class Origin {
        final BitSet offsets = new BitSet();
        long last = -1;
    }
}
