import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints what partitions hold, one after the other, each from its beginning to its end now: a line for each record, and a
 * line "end" behind each partition. What is only to be compared is printed as a digest.
 *
 * The fields of a line are parted by tabs: offset, timestamp and its type, digest of the key, of the value, of the headers
 * without farlog's own in their order, the header "id" or nothing, and each "farlog.origin" header.
 *
 * Arguments: bootstrap=host:port isolation=read_committed|read_uncommitted partitions=topic:partition,…
 */
public class Reader {
    static final String ORIGIN = "farlog.origin";
    static final long NO_PROGRESS_NANOS = 60_000_000_000L;

    public static void main(String[] args) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (String arg : args) given.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
        Properties config = new Properties();
        config.put("bootstrap.servers", given.get("bootstrap"));
        config.put("isolation.level", given.get("isolation"));
        config.put("key.deserializer", ByteArrayDeserializer.class.getName());
        config.put("value.deserializer", ByteArrayDeserializer.class.getName());
        config.put("auto.offset.reset", "none");
        config.put("max.poll.records", "5000");
        config.put("max.partition.fetch.bytes", "4194304");
        config.put("fetch.max.wait.ms", "50");
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config)) {
            for (String place : given.get("partitions").split(",")) {
                int colon = place.lastIndexOf(':');
                print(consumer, new TopicPartition(place.substring(0, colon), Integer.parseInt(place.substring(colon + 1))), out);
            }
        }
        out.flush();
    }

    static void print(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, PrintStream out) throws Exception {
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        Line line = new Line();
        long progressAt = System.nanoTime();
        while (consumer.position(partition) < end) {
            long before = consumer.position(partition);
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                if (record.offset() < end) out.println(line.of(record));
            }
            if (consumer.position(partition) > before) progressAt = System.nanoTime();
            else if (System.nanoTime() - progressAt > NO_PROGRESS_NANOS) throw new IllegalStateException(partition + " gives nothing from " + before);
        }
        out.println("end");
        out.flush();
    }

    static class Line {
        private final MessageDigest digest = MessageDigest.getInstance("SHA-1");
        private final ByteBuffer number = ByteBuffer.allocate(4);
        private final StringBuilder text = new StringBuilder();

        Line() throws java.security.NoSuchAlgorithmException {}

        String of(ConsumerRecord<byte[], byte[]> record) {
            text.setLength(0);
            text.append(record.offset()).append('\t').append(record.timestamp()).append(record.timestampType());
            update(record.key());
            append();
            update(record.value());
            append();
            byte[] id = null;
            for (Header header : record.headers()) {
                if (header.key().equals(ORIGIN)) continue;
                if (header.key().equals("id")) id = header.value();
                update(header.key().getBytes(StandardCharsets.UTF_8));
                update(header.value());
            }
            append();
            text.append('\t').append(id == null ? "" : printable(id));
            for (Header header : record.headers().headers(ORIGIN)) {
                text.append('\t').append(header.value() == null ? "" : printable(header.value()));
            }
            return text.toString();
        }

        /** Lengths stand before contents, so that no two different records feed it the same. */
        private void update(byte[] bytes) {
            digest.update(number.clear().putInt(bytes == null ? -1 : bytes.length).array());
            if (bytes != null) digest.update(bytes);
        }

        private void append() {
            text.append('\t').append(HexFormat.of().formatHex(digest.digest(), 0, 8));
        }

        private static String printable(byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8).replaceAll("[^ -~]", "?");
        }
    }
}
