import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes to a cluster that is killed, stopped and restarted meanwhile, and keeps the books: which records were
 * acknowledged, which were aborted, and of which nobody can know. Partitions that are added get records too.
 *
 * A record's id is writer/number, where the writer counts 0, 1, 2, … in each partition. It is in the header "id", and in
 * the value where there is one. All else in a record but its timestamp follows from seed, writer, partition and number.
 *
 * Arguments: bootstrap=host:port seed=N writers=name:topic:codec:recordsPerSecond:plain|transactional:compactedKeys,…
 * SIGTERM ends the writing; then standard output gets the books, a JSON line for each writer and partition, and at last
 * "complete". Standard error tells what went wrong meanwhile.
 */
public class Writer {
    static final int ABORT_PERCENT = 25;
    static final int TRANSACTION_RECORDS_MAX = 60;
    /** One transaction in so many stays open for a while and holds back the last stable offset. */
    static final int ONE_IN_LONG = 50;
    static final int LONG_TRANSACTION_MS_MAX = 4_000;

    record Plan(String name, String topic, String codec, double rate, boolean isTransactional, int compactedKeys) {}

    static volatile boolean isStopping;
    /** A writer has ended before it was told to, so that its books are worth nothing. */
    static volatile boolean hasFailed;

    public static void main(String[] args) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (String arg : args) given.put(arg.substring(0, arg.indexOf('=')), arg.substring(arg.indexOf('=') + 1));
        long seed = Long.parseLong(given.get("seed"));
        List<Writing> writings = new ArrayList<>();
        for (String plan : given.get("writers").split(",")) writings.add(new Writing(given.get("bootstrap"), seed, parsePlan(plan)));

        CountDownLatch printed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            isStopping = true;
            try {
                printed.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> {
            hasFailed = true;
            System.err.println(thread.getName() + " ended: " + e);
        });
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", given.get("bootstrap")))) {
            for (Writing writing : writings) writing.start(admin);
            for (Writing writing : writings) writing.join();
        }
        for (Writing writing : writings) writing.print();
        if (!hasFailed) System.out.println("complete");
        System.out.flush();
        printed.countDown();
    }

    static Plan parsePlan(String text) {
        String[] parts = text.split(":");
        return new Plan(parts[0], parts[1], parts[2], Double.parseDouble(parts[3]), parts[4].equals("transactional"), Integer.parseInt(parts[5]));
    }

    /** What became of the numbers of one partition; those that were neither aborted nor are uncertain are acknowledged. */
    static class Books {
        private long next;
        private final List<long[]> aborted = new ArrayList<>();
        private final List<long[]> uncertain = new ArrayList<>();

        synchronized long nextNumber() {
            return next++;
        }

        synchronized void aborted(long first, long last) {
            aborted.add(new long[] {first, last});
        }

        synchronized void uncertain(long first, long last) {
            uncertain.add(new long[] {first, last});
        }

        synchronized String json() {
            return "\"written\":" + next + ",\"aborted\":" + json(aborted) + ",\"uncertain\":" + json(uncertain);
        }

        private static String json(List<long[]> ranges) {
            StringBuilder json = new StringBuilder("[");
            for (long[] range : ranges) {
                if (json.length() > 1) json.append(',');
                json.append('[').append(range[0]).append(',').append(range[1]).append(']');
            }
            return json.append(']').toString();
        }
    }

    /** One producer and its thread. */
    static class Writing extends Thread {
        private final String bootstrap;
        private final Plan plan;
        private final Contents contents;
        private final SplittableRandom random;
        private final Map<Integer, Books> books = new TreeMap<>();
        private final long startedAt = System.nanoTime();
        private KafkaProducer<byte[], byte[]> producer;
        private Admin admin;
        private long sent;
        private int cursor;
        /** Those whose leader has been heard of: 0, 1, … up to here. */
        private int usablePartitions;

        Writing(String bootstrap, long seed, Plan plan) {
            super(plan.name());
            this.bootstrap = bootstrap;
            this.plan = plan;
            this.contents = new Contents(seed, plan);
            this.random = new SplittableRandom(seed * 31 + plan.name().hashCode());
        }

        void start(Admin admin) {
            this.admin = admin;
            start();
        }

        @Override
        public void run() {
            open();
            while (!isStopping) {
                if (plan.isTransactional()) writeTransaction();
                else writeRecord();
            }
            // Waits for what is in flight.
            producer.close();
        }

        void print() {
            books.forEach((partition, book) -> System.out.println("{\"writer\":\"" + plan.name() + "\",\"topic\":\"" + plan.topic()
                + "\",\"partition\":" + partition + "," + book.json() + "}"));
        }

        private void open() {
            producer = new KafkaProducer<>(producerConfig());
            while (plan.isTransactional()) {
                try {
                    producer.initTransactions();
                    return;
                } catch (TimeoutException e) {
                    complain("initTransactions", e);
                }
            }
        }

        private void writeRecord() {
            keepRate();
            int partition = nextPartition();
            Books book = book(partition);
            long number = book.nextNumber();
            producer.send(contents.record(partition, number), (metadata, e) -> {
                if (e == null) return;
                complain("a record", e);
                book.uncertain(number, number);
            });
        }

        /** What is begun and never asked to be committed is aborted in the end, whatever happens; a commit may be uncertain. */
        private void writeTransaction() {
            Map<Integer, long[]> ranges = new HashMap<>();
            boolean isToBeAborted = random.nextInt(100) < ABORT_PERCENT;
            boolean isCommitAsked = false;
            boolean isCommitted = false;
            int records = random.nextInt(TRANSACTION_RECORDS_MAX) + 1;
            try {
                producer.beginTransaction();
                for (int i = 0; i < records; i++) {
                    keepRate();
                    int partition = nextPartition();
                    long number = book(partition).nextNumber();
                    ranges.computeIfAbsent(partition, p -> new long[] {number, number})[1] = number;
                    producer.send(contents.record(partition, number));
                }
                if (random.nextInt(ONE_IN_LONG) == 0) rest(random.nextInt(LONG_TRANSACTION_MS_MAX));
                // Without it most records of a transaction that is aborted would never be written.
                producer.flush();
                isCommitAsked = !isToBeAborted;
                end(isCommitAsked);
                isCommitted = isCommitAsked;
            } catch (KafkaException e) {
                complain("a transaction", e);
                reopen();
            }
            for (Map.Entry<Integer, long[]> entry : ranges.entrySet()) {
                long first = entry.getValue()[0];
                long last = entry.getValue()[1];
                if (isCommitted) continue;
                if (isCommitAsked) book(entry.getKey()).uncertain(first, last);
                else book(entry.getKey()).aborted(first, last);
            }
        }

        /** An end that timed out while the broker was away may be asked for again, and only that. */
        private void end(boolean byCommit) {
            for (;;) {
                try {
                    if (byCommit) producer.commitTransaction();
                    else producer.abortTransaction();
                    return;
                } catch (TimeoutException e) {
                    complain("the end of a transaction", e);
                }
            }
        }

        /** The next producer of the transactional id ends what this one has left open. */
        private void reopen() {
            producer.close(java.time.Duration.ZERO);
            open();
        }

        private Books book(int partition) {
            return books.computeIfAbsent(partition, p -> new Books());
        }

        /** Also of those that were added a moment ago. */
        private int nextPartition() {
            for (;;) {
                try {
                    int partitions = producer.partitionsFor(plan.topic()).size();
                    if (partitions > usablePartitions) awaitLeaders(partitions);
                    return cursor++ % partitions;
                } catch (TimeoutException | ExecutionException e) {
                    complain("the partitions", e);
                }
            }
        }

        /**
         * A leader that has not made a new partition's log yet refuses the first batch, and may take the second, after
         * which the first one is out of order for as long as it is sent again (KAFKA-15591).
         */
        private void awaitLeaders(int partitions) throws ExecutionException {
            Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
            for (int partition = usablePartitions; partition < partitions; partition++) {
                ends.put(new TopicPartition(plan.topic(), partition), OffsetSpec.latest());
            }
            try {
                admin.listOffsets(ends).all().get();
            } catch (InterruptedException e) {
                throw new IllegalStateException("Nobody interrupts a writer", e);
            }
            usablePartitions = partitions;
        }

        private void keepRate() {
            long due = startedAt + (long) (sent++ / plan.rate() * 1e9);
            for (long wait = due - System.nanoTime(); wait > 0 && !isStopping; wait = due - System.nanoTime()) {
                LockSupport.parkNanos(Math.min(wait, 100_000_000L));
            }
        }

        private static void rest(int ms) {
            long until = System.nanoTime() + ms * 1_000_000L;
            while (System.nanoTime() < until && !isStopping) LockSupport.parkNanos(10_000_000L);
        }

        private void complain(String about, Exception e) {
            System.err.println(plan.name() + ": " + about + ": " + e);
        }

        private Properties producerConfig() {
            Properties config = new Properties();
            config.put("bootstrap.servers", bootstrap);
            config.put("key.serializer", ByteArraySerializer.class.getName());
            config.put("value.serializer", ByteArraySerializer.class.getName());
            config.put("acks", "all");
            config.put("enable.idempotence", "true");
            config.put("compression.type", plan.codec());
            config.put("linger.ms", "20");
            config.put("buffer.memory", "16777216");
            config.put("request.timeout.ms", "10000");
            // Longer than anything stays away.
            config.put("delivery.timeout.ms", "600000");
            config.put("max.block.ms", "120000");
            config.put("reconnect.backoff.max.ms", "500");
            config.put("metadata.max.age.ms", "2000");
            if (plan.isTransactional()) config.put("transactional.id", plan.name());
            return config;
        }
    }

    /** Null keys, tombstones, empty values, repeated and empty headers, odd timestamps. Not for use by two threads. */
    static class Contents {
        private static final String[] WORDS = ("the delivery was left with a neighbour because nobody answered at door "
            + "please call again between nine and noon or bring it to parcel shop near station thank you").split(" ");

        private final long seed;
        private final Plan plan;
        private final StringBuilder text = new StringBuilder();

        Contents(long seed, Plan plan) {
            this.seed = seed;
            this.plan = plan;
        }

        ProducerRecord<byte[], byte[]> record(int partition, long number) {
            SplittableRandom random = new SplittableRandom(
                (seed * 31 + plan.name().hashCode()) * 0x9E3779B97F4A7C15L + partition * 1_000_003L + number * 0xD1B54A32D192ED03L);
            String id = plan.name() + "/" + number;
            return new ProducerRecord<>(plan.topic(), partition, timestamp(random), key(random, number), value(random, id), headers(random, id));
        }

        /** Where the cleaner is at work, the number says which key: so it is known which record has to be left of each. */
        private byte[] key(SplittableRandom random, long number) {
            if (plan.compactedKeys() > 0) return bytes("key-" + number % plan.compactedKeys());
            return random.nextInt(5) == 0 ? null : bytes("customer-" + random.nextInt(1_000));
        }

        private byte[] value(SplittableRandom random, String id) {
            int kind = random.nextInt(100);
            if (kind < 3) return null;
            if (kind < 5) return new byte[0];
            int length = random.nextInt(100, 700);
            text.setLength(0);
            text.append("{\"id\":\"").append(id).append("\",\"order\":\"").append(Long.toHexString(random.nextLong())).append("\",\"note\":\"");
            while (text.length() < length) text.append(WORDS[random.nextInt(WORDS.length)]).append(' ');
            return bytes(text.append("\"}").toString());
        }

        private static List<Header> headers(SplittableRandom random, String id) {
            List<Header> headers = new ArrayList<>();
            headers.add(new RecordHeader("id", bytes(id)));
            int kind = random.nextInt(100);
            if (kind < 70) return headers;
            headers.add(new RecordHeader("trace-id", bytes(Long.toHexString(random.nextLong()))));
            if (kind >= 80) headers.add(new RecordHeader("trace-id", bytes("again")));
            if (kind >= 90) headers.add(new RecordHeader("nothing", null));
            if (kind >= 95) headers.add(new RecordHeader("empty", new byte[0]));
            return headers;
        }

        private static long timestamp(SplittableRandom random) {
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
}
