package s3command

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/omnibucket/storage/s3server"
)

// metrics counts requests, for a response in the text format of Prometheus. Only names of AWS's
// operations and status codes are labels, so clients cannot make the number of counters grow
// without bound.
type metrics struct {
	startTime time.Time
	inFlight  func() int

	mu         sync.Mutex
	responses  map[response]int64
	operations map[string]*totals
}

// A response has the two labels of the counter omnibucket_s3_requests_total.
type response struct {
	operation string
	status    int // 0 if the connection was closed without a response
}

// totals has the sums over all requests of one operation.
type totals struct {
	requests, bytesReceived, bytesSent int64
	duration                           time.Duration
}

func newMetrics() *metrics {
	return &metrics{startTime: time.Now(), responses: map[response]int64{}, operations: map[string]*totals{}}
}

func (m *metrics) add(e s3server.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.responses[response{e.Operation, e.Status}]++
	sum := m.operations[e.Operation]
	if sum == nil {
		sum = &totals{}
		m.operations[e.Operation] = sum
	}
	sum.requests++
	sum.bytesReceived += e.Received
	sum.bytesSent += e.Sent
	sum.duration += e.Duration
}

// ServeHTTP responds with all metrics.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(m.text())
}

func (m *metrics) text() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	head := func(name, kind, help string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}

	const requests = "omnibucket_s3_requests_total"
	head(requests, "counter", "Requests by operation and HTTP status; status 0 is a closed connection.")
	keys := slices.SortedFunc(maps.Keys(m.responses), func(a, b response) int {
		return cmp.Or(cmp.Compare(a.operation, b.operation), cmp.Compare(a.status, b.status))
	})
	for _, key := range keys {
		fmt.Fprintf(&b, "%s{operation=%q,status=\"%d\"} %d\n", requests, key.operation, key.status, m.responses[key])
	}

	operations := slices.Sorted(maps.Keys(m.operations))
	appendMetric := func(name string, value func(*totals) string) {
		for _, operation := range operations {
			fmt.Fprintf(&b, "%s{operation=%q} %s\n", name, operation, value(m.operations[operation]))
		}
	}
	const received, sent, duration = "omnibucket_s3_received_bytes_total", "omnibucket_s3_sent_bytes_total", "omnibucket_s3_request_duration_seconds"
	head(received, "counter", "Bytes of request bodies by operation.")
	appendMetric(received, func(sum *totals) string { return strconv.FormatInt(sum.bytesReceived, 10) })
	head(sent, "counter", "Bytes of response bodies by operation.")
	appendMetric(sent, func(sum *totals) string { return strconv.FormatInt(sum.bytesSent, 10) })
	head(duration, "summary", "Time from the headers of a request to the end of its response.")
	appendMetric(duration+"_sum", func(sum *totals) string { return strconv.FormatFloat(sum.duration.Seconds(), 'g', -1, 64) })
	appendMetric(duration+"_count", func(sum *totals) string { return strconv.FormatInt(sum.requests, 10) })

	const inFlight, started = "omnibucket_s3_requests_in_flight", "process_start_time_seconds"
	head(inFlight, "gauge", "Requests in progress.")
	fmt.Fprintf(&b, "%s %d\n", inFlight, m.inFlight())
	head(started, "gauge", "Start of the server in seconds since 1970.")
	fmt.Fprintf(&b, "%s %d\n", started, m.startTime.Unix())
	return b.Bytes()
}
