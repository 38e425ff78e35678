import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes records as real producers do, with everything a copy can get wrong: null keys, tombstones, empty values,
 * duplicate headers, odd timestamps, aborted transactions, batches of one.
 *
 * What a record holds is a function of seed, topic, partition and its number in the partition, so the same arguments
 * write the same records again (only timestamps follow the clock). The number is the value's first JSON field; a record
 * without a JSON value carries it in a header. Records of aborted transactions have no number but an "aborted" mark.
 *
 * Arguments are name=value; see Options. Standard error gets the acknowledged total each second, standard output one
 * JSON line at the end. SIGTERM ends the writing early, with the same line.
 */
public class Produce {
    /** Each with its default; partitions of missing topics, and each topic's compression, stand in the topics argument. */
    record Options(
        String bootstrap,
        /** name:partitions:compression, comma-separated; a topic that exists keeps its own number of partitions. */
        List<Topic> topics,
        /** Over all topics together; 0 = until told to stop. */
        long records,
        /** Per second, over all topics together; 0 = as fast as it goes. */
        long rate,
        long seed,
        int valueBytes,
        /** "varied" (everything odd is in) or "plain" (key, JSON value, the present as timestamp, no headers). */
        boolean varied,
        /** false for compacted topics, which refuse them. */
        boolean nullKeys,
        int lingerMs,
        /** 0 = each record is a batch of its own. */
        int batchBytes,
        /** Records in each transaction; 0 = none. */
        int transactionRecords,
        int abortPercent) {}

    record Topic(String name, int partitions, String compression) {}

    public static void main(String[] args) throws Exception {
        Options options = parse(args);
        List<Topic> topics = createMissing(options);
        Run run = new Run(options, topics);
        CountDownLatch printed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            run.stopping = true;
            try {
                printed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        run.writeAll();
        System.out.println(run.resultJson());
        System.out.flush();
        printed.countDown();
        if (run.failure.get() != null) System.exit(1);
    }

    /** One run: a thread and a producer for each compression, because a producer has one compression. */
    static class Run {
        final Options options;
        final Map<String, List<TopicCounts>> byCompression = new LinkedHashMap<>();
        final AtomicLong acknowledged = new AtomicLong();
        final AtomicLong aborted = new AtomicLong();
        final AtomicReference<Exception> failure = new AtomicReference<>();
        volatile boolean stopping;
        double seconds;

        Run(Options options, List<Topic> topics) {
            this.options = options;
            for (Topic topic : topics) {
                byCompression.computeIfAbsent(topic.compression(), c -> new ArrayList<>()).add(new TopicCounts(topic));
            }
        }

        void writeAll() throws InterruptedException {
            long started = System.nanoTime();
            Thread progress = new Thread(this::reportProgress);
            progress.setDaemon(true);
            progress.start();
            int partitions = byCompression.values().stream().flatMap(List::stream).mapToInt(t -> t.topic.partitions()).sum();
            List<Thread> threads = new ArrayList<>();
            long recordsLeft = options.records();
            int partitionsLeft = partitions;
            for (Map.Entry<String, List<TopicCounts>> entry : byCompression.entrySet()) {
                int own = entry.getValue().stream().mapToInt(t -> t.topic.partitions()).sum();
                long share = options.records() == 0 ? Long.MAX_VALUE : recordsLeft * own / partitionsLeft;
                recordsLeft -= share;
                partitionsLeft -= own;
                double rate = options.rate() * (double) own / partitions;
                threads.add(new Thread(() -> {
                    try {
                        new Writer(this, entry.getKey(), entry.getValue(), share, rate).write();
                    } catch (Exception e) {
                        fail(e);
                    }
                }, "write-" + entry.getKey()));
            }
            for (Thread thread : threads) thread.start();
            for (Thread thread : threads) thread.join();
            seconds = (System.nanoTime() - started) / 1e9;
        }

        void fail(Exception e) {
            if (failure.compareAndSet(null, e)) e.printStackTrace();
            stopping = true;
        }

        private void reportProgress() {
            for (;;) {
                LockSupport.parkNanos(1_000_000_000L);
                System.err.println("acknowledged=" + acknowledged.get());
            }
        }

        String resultJson() {
            StringBuilder json = new StringBuilder("{\"records\":").append(acknowledged.get());
            json.append(",\"aborted\":").append(aborted.get());
            json.append(",\"seconds\":").append(String.format(java.util.Locale.ROOT, "%.3f", seconds));
            Exception e = failure.get();
            if (e != null) json.append(",\"error\":\"").append(e.toString().replaceAll("[\"\\\\\\p{Cntrl}]", " ")).append('"');
            json.append(",\"partitions\":[");
            String comma = "";
            for (List<TopicCounts> group : byCompression.values()) {
                for (TopicCounts topic : group) {
                    for (int p = 0; p < topic.topic.partitions(); p++) {
                        json.append(comma).append("{\"topic\":\"").append(topic.topic.name()).append("\",\"partition\":").append(p)
                            .append(",\"records\":").append(topic.committed.get(p)).append('}');
                        comma = ",";
                    }
                }
            }
            return json.append("]}").toString();
        }
    }

    static class TopicCounts {
        final Topic topic;
        /** By partition: the number that its next record gets. Only its writer's thread uses it. */
        final long[] nextNumber;
        /** By partition: acknowledged and, with transactions, committed. */
        final AtomicLongArray committed;

        TopicCounts(Topic topic) {
            this.topic = topic;
            this.nextNumber = new long[topic.partitions()];
            this.committed = new AtomicLongArray(topic.partitions());
        }
    }

    static class Writer {
        private final Run run;
        private final Options options;
        private final List<TopicCounts> topics;
        private final long records;
        private final double rate;
        private final KafkaProducer<byte[], byte[]> producer;
        private final Contents contents;
        private long sent;
        private int cursorTopic;
        private int cursorPartition;

        Writer(Run run, String compression, List<TopicCounts> topics, long records, double rate) {
            this.run = run;
            this.options = run.options;
            this.topics = topics;
            this.records = records;
            this.rate = rate;
            this.contents = new Contents(options);
            this.producer = new KafkaProducer<>(producerConfig(compression));
        }

        void write() throws Exception {
            try (producer) {
                if (options.transactionRecords() > 0) writeTransactions();
                else writePlainly();
            }
        }

        private void writePlainly() {
            long started = System.nanoTime();
            while (sent < records && !run.stopping) {
                keepRate(started);
                TopicCounts topic = topics.get(cursorTopic);
                int partition = cursorPartition;
                advanceCursor();
                producer.send(contents.record(topic.topic, partition, topic.nextNumber[partition]++), (metadata, e) -> {
                    if (e != null) {
                        run.fail(e);
                        return;
                    }
                    topic.committed.incrementAndGet(partition);
                    run.acknowledged.incrementAndGet();
                });
                sent++;
            }
            producer.flush();
        }

        private void writeTransactions() throws Exception {
            SplittableRandom random = new SplittableRandom(options.seed() ^ topics.get(0).topic.name().hashCode());
            producer.initTransactions();
            long started = System.nanoTime();
            while (sent < records && !run.stopping) {
                keepRate(started);
                producer.beginTransaction();
                if (random.nextInt(100) < options.abortPercent()) writeAborted(random.nextInt(options.transactionRecords()) + 1);
                else writeCommitted((int) Math.min(options.transactionRecords(), records - sent));
            }
        }

        private void writeAborted(int count) {
            for (int i = 0; i < count; i++) {
                producer.send(contents.abortedRecord(topics.get(cursorTopic).topic.name(), cursorPartition));
                advanceCursor();
            }
            // Without it most of them would be thrown away before they were ever written.
            producer.flush();
            producer.abortTransaction();
            run.aborted.addAndGet(count);
        }

        private void writeCommitted(int count) {
            Map<TopicCounts, long[]> inTransaction = new HashMap<>();
            for (int i = 0; i < count; i++) {
                TopicCounts topic = topics.get(cursorTopic);
                int partition = cursorPartition;
                advanceCursor();
                producer.send(contents.record(topic.topic, partition, topic.nextNumber[partition]++));
                inTransaction.computeIfAbsent(topic, t -> new long[t.topic.partitions()])[partition]++;
            }
            commit();
            inTransaction.forEach((topic, counts) -> {
                for (int p = 0; p < counts.length; p++) topic.committed.addAndGet(p, counts[p]);
            });
            run.acknowledged.addAndGet(count);
            sent += count;
        }

        /** A commit that timed out while a broker was away may be asked for again, and only that. */
        private void commit() {
            for (int attempt = 1; ; attempt++) {
                try {
                    producer.commitTransaction();
                    return;
                } catch (TimeoutException e) {
                    if (attempt == 5) throw e;
                }
            }
        }

        private void keepRate(long started) {
            if (rate <= 0) return;
            long due = started + (long) (sent / rate * 1e9);
            for (long wait = due - System.nanoTime(); wait > 0 && !run.stopping; wait = due - System.nanoTime()) {
                LockSupport.parkNanos(Math.min(wait, 100_000_000L));
            }
        }

        private void advanceCursor() {
            if (++cursorPartition < topics.get(cursorTopic).topic.partitions()) return;
            cursorPartition = 0;
            cursorTopic = (cursorTopic + 1) % topics.size();
        }

        private Properties producerConfig(String compression) {
            Properties config = new Properties();
            config.put("bootstrap.servers", options.bootstrap());
            config.put("key.serializer", ByteArraySerializer.class.getName());
            config.put("value.serializer", ByteArraySerializer.class.getName());
            config.put("acks", "all");
            config.put("compression.type", compression);
            config.put("linger.ms", Integer.toString(options.lingerMs()));
            config.put("batch.size", Integer.toString(options.batchBytes()));
            // The end of a transaction that is asked for again, since a busy broker was slow, may be an invalid state by then.
            config.put("request.timeout.ms", options.transactionRecords() > 0 ? "60000" : "10000");
            config.put("delivery.timeout.ms", "300000");
            config.put("max.block.ms", "120000");
            config.put("reconnect.backoff.max.ms", "500");
            if (options.transactionRecords() > 0) {
                config.put("transactional.id", "produce-" + ProcessHandle.current().pid() + "-" + compression);
            }
            return config;
        }
    }

    /** Makes the records' contents. Not for use by two threads. */
    static class Contents {
        private static final String[] WORDS = ("the delivery was left with a neighbour because nobody answered at door "
            + "please call again between nine and noon or bring it to parcel shop near station thank you").split(" ");
        private static final String[] CURRENCIES = {"EUR", "USD", "GBP", "CHF", "SEK"};

        private final Options options;
        private final StringBuilder text = new StringBuilder();

        Contents(Options options) {
            this.options = options;
        }

        ProducerRecord<byte[], byte[]> record(Topic topic, int partition, long number) {
            long salt = topic.name().hashCode() * 1_000_003L + partition;
            SplittableRandom random = new SplittableRandom(options.seed() * 31 + salt * 0x9E3779B97F4A7C15L + number * 0xD1B54A32D192ED03L);
            boolean varied = options.varied();
            byte[] key = varied && options.nullKeys() && random.nextInt(5) == 0 ? null : bytes("customer-" + random.nextInt(1_000));
            int kind = varied ? random.nextInt(100) : 100;
            boolean tombstone = kind < 3 && key != null;
            boolean json = kind >= 5 || (kind < 3 && key == null);
            byte[] value = tombstone ? null : json ? bytes(json("{\"seq\":" + number, topic.name(), partition, random)) : new byte[0];
            List<Header> headers = varied ? headers(random) : new ArrayList<>();
            if (!json) headers.add(new RecordHeader("seq", bytes(Long.toString(number))));
            return new ProducerRecord<>(topic.name(), partition, varied ? timestamp(random) : System.currentTimeMillis(), key, value, headers);
        }

        ProducerRecord<byte[], byte[]> abortedRecord(String topic, int partition) {
            byte[] value = bytes(json("{\"aborted\":true", topic, partition, new SplittableRandom(options.seed())));
            return new ProducerRecord<>(topic, partition, bytes("aborted"), value);
        }

        private String json(String start, String topic, int partition, SplittableRandom random) {
            text.setLength(0);
            text.append(start).append(",\"topic\":\"").append(topic).append("\",\"partition\":").append(partition);
            text.append(",\"order\":\"").append(Long.toHexString(random.nextLong())).append("\",\"customer\":").append(random.nextInt(100_000));
            text.append(",\"amount\":").append(random.nextInt(1_000)).append('.').append(random.nextInt(10, 100));
            text.append(",\"currency\":\"").append(CURRENCIES[random.nextInt(CURRENCIES.length)]);
            text.append("\",\"items\":[");
            for (int i = random.nextInt(1, 5); i > 0; i--) {
                text.append("{\"sku\":\"").append(Integer.toHexString(random.nextInt())).append("\",\"count\":").append(random.nextInt(1, 9)).append(i > 1 ? "}," : "}");
            }
            text.append("],\"note\":\"");
            while (text.length() < options.valueBytes() - 2) text.append(WORDS[random.nextInt(WORDS.length)]).append(' ');
            return text.append("\"}").toString();
        }

        private List<Header> headers(SplittableRandom random) {
            List<Header> headers = new ArrayList<>();
            int kind = random.nextInt(100);
            if (kind < 40) return headers;
            headers.add(new RecordHeader("trace-id", bytes(Long.toHexString(random.nextLong()))));
            if (kind < 70) return headers;
            headers.add(new RecordHeader("content-type", bytes("application/json")));
            if (kind >= 85) headers.add(new RecordHeader("trace-id", bytes("again")));
            if (kind >= 90) headers.add(new RecordHeader("nothing", null));
            if (kind >= 95) headers.add(new RecordHeader("empty", new byte[0]));
            return headers;
        }

        private long timestamp(SplittableRandom random) {
            long now = System.currentTimeMillis();
            int kind = random.nextInt(100);
            if (kind < 1) return 0;
            if (kind < 3) return now - random.nextInt(600_000);
            if (kind < 4) return now + random.nextInt(3_000_000);
            return now;
        }

        private static byte[] bytes(String text) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
    }

    /** Creates the topics that are not there, and gives all of them with the partitions they really have. */
    static List<Topic> createMissing(Options options) throws Exception {
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", options.bootstrap()))) {
            for (Topic topic : options.topics()) {
                try {
                    admin.createTopics(Set.of(new NewTopic(topic.name(), Optional.of(topic.partitions()), Optional.empty()))).all().get();
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof TopicExistsException)) throw e;
                }
            }
            var described = describe(admin, options.topics().stream().map(Topic::name).toList());
            awaitLeaders(admin, described);
            return options.topics().stream()
                .map(topic -> new Topic(topic.name(), described.get(topic.name()).partitions().size(), topic.compression()))
                .toList();
        }
    }

    /**
     * A leader that has not made a new partition's log yet refuses the first batch, and may take the second, for it knows
     * nothing of the producer: then the first one is out of order for as long as it is sent again (KAFKA-15591).
     */
    static void awaitLeaders(Admin admin, Map<String, TopicDescription> described) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        described.forEach((topic, description) -> description.partitions()
            .forEach(info -> ends.put(new TopicPartition(topic, info.partition()), OffsetSpec.latest())));
        admin.listOffsets(ends).all().get();
    }

    /** The broker that is asked may hear of a new topic a moment after the one that made it. */
    static Map<String, TopicDescription> describe(Admin admin, List<String> topics) throws Exception {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (true) {
            try {
                return admin.describeTopics(topics).allTopicNames().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof UnknownTopicOrPartitionException) || System.nanoTime() > deadline) throw e;
                Thread.sleep(50);
            }
        }
    }

    static Options parse(String[] args) {
        Map<String, String> given = new HashMap<>();
        for (String arg : args) {
            int equals = arg.indexOf('=');
            if (equals < 0) throw new IllegalArgumentException("Not name=value: " + arg);
            given.put(arg.substring(0, equals), arg.substring(equals + 1));
        }
        Options options = new Options(
            required(given, "bootstrap"),
            List.of(required(given, "topics").split(",")).stream().map(Produce::parseTopic).toList(),
            number(given, "records", 1_000),
            number(given, "rate", 0),
            number(given, "seed", 1),
            (int) number(given, "valueBytes", 600),
            oneOf(given, "shape", "varied", "plain").equals("varied"),
            oneOf(given, "nullKeys", "true", "false").equals("true"),
            (int) number(given, "lingerMs", 5),
            (int) number(given, "batchBytes", 65_536),
            (int) number(given, "transactionRecords", 0),
            (int) number(given, "abortPercent", 20));
        if (!given.isEmpty()) throw new IllegalArgumentException("Unknown: " + given.keySet());
        return options;
    }

    static Topic parseTopic(String text) {
        String[] parts = text.split(":");
        return new Topic(parts[0], parts.length > 1 ? Integer.parseInt(parts[1]) : 1, parts.length > 2 ? parts[2] : "none");
    }

    static String required(Map<String, String> given, String name) {
        String value = given.remove(name);
        if (value == null) throw new IllegalArgumentException("Missing: " + name);
        return value;
    }

    /** The first is the default. */
    static String oneOf(Map<String, String> given, String name, String... allowed) {
        String value = given.remove(name);
        if (value == null) return allowed[0];
        if (!List.of(allowed).contains(value)) throw new IllegalArgumentException(name + " is one of " + List.of(allowed));
        return value;
    }

    static long number(Map<String, String> given, String name, long fallback) {
        String value = given.remove(name);
        return value == null ? fallback : Long.parseLong(value);
    }
}
