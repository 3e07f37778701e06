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

// add counts a request that has ended.
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

// These are the names of the metrics.
const (
	requestsMetric = "omnibucket_s3_requests_total"
	receivedMetric = "omnibucket_s3_received_bytes_total"
	sentMetric     = "omnibucket_s3_sent_bytes_total"
	durationMetric = "omnibucket_s3_request_duration_seconds"
	inFlightMetric = "omnibucket_s3_requests_in_flight"
	startMetric    = "process_start_time_seconds"
)

// text returns all metrics in the text format of Prometheus, sorted by operation, so that two responses are easy to
// compare.
func (m *metrics) text() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer

	writeHelp(&b, requestsMetric, "counter", "Requests by operation and HTTP status; status 0 is a closed connection.")
	responses := slices.SortedFunc(maps.Keys(m.responses), func(a, b response) int {
		return cmp.Or(cmp.Compare(a.operation, b.operation), cmp.Compare(a.status, b.status))
	})
	for _, r := range responses {
		fmt.Fprintf(&b, "%s{operation=%q,status=\"%d\"} %d\n", requestsMetric, r.operation, r.status, m.responses[r])
	}

	operations := slices.Sorted(maps.Keys(m.operations))
	writeHelp(&b, receivedMetric, "counter", "Bytes of request bodies by operation.")
	for _, name := range operations {
		fmt.Fprintf(&b, "%s{operation=%q} %d\n", receivedMetric, name, m.operations[name].bytesReceived)
	}

	writeHelp(&b, sentMetric, "counter", "Bytes of response bodies by operation.")
	for _, name := range operations {
		fmt.Fprintf(&b, "%s{operation=%q} %d\n", sentMetric, name, m.operations[name].bytesSent)
	}

	// A summary consists of a sum and a count for each operation.
	writeHelp(&b, durationMetric, "summary", "Time from the headers of a request to the end of its response.")
	for _, name := range operations {
		seconds := strconv.FormatFloat(m.operations[name].duration.Seconds(), 'g', -1, 64)
		fmt.Fprintf(&b, "%s_sum{operation=%q} %s\n", durationMetric, name, seconds)
	}
	for _, name := range operations {
		fmt.Fprintf(&b, "%s_count{operation=%q} %d\n", durationMetric, name, m.operations[name].requests)
	}

	writeHelp(&b, inFlightMetric, "gauge", "Requests in progress.")
	fmt.Fprintf(&b, "%s %d\n", inFlightMetric, m.inFlight())
	writeHelp(&b, startMetric, "gauge", "Start of the server in seconds since 1970.")
	fmt.Fprintf(&b, "%s %d\n", startMetric, m.startTime.Unix())
	return b.Bytes()
}

// writeHelp writes the two comments before the values of a metric.
func writeHelp(b *bytes.Buffer, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}
