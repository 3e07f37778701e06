package main

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
)

// A traffic counts the requests that a store has received, and the bytes that it has sent.
type traffic struct {
	requests map[string]int // number of requests by method
	received int            // bytes in the bodies of responses
}

// add adds the traffic of n operations. one is the traffic of one operation.
func (t *traffic) add(one traffic, n int) {
	for method, requests := range one.requests {
		t.requests[method] += n * requests
	}
	t.received += n * one.received
}

// countedOp returns an op that runs op, and adds the traffic of its operations to the totals in e. The
// traffic of an operation is counted once, by a proxy in front of MinIO. op itself does not use the
// proxy, which would make it slower.
func countedOp[S closer](e *env, c adapterRow[S], setup setupWith[S], op opFunc) (opFunc, error) {
	s, counts, err := c.count(e)
	if err != nil {
		return nil, err
	}
	e.cleanup = append(e.cleanup, s.close)
	counted, err := setup(e, s)
	if err != nil {
		return nil, err
	}

	// Do not count the first operation, which may make additional requests.
	if err := counted(1); err != nil {
		return nil, err
	}

	base := counts()
	if err := counted(1); err != nil {
		return nil, err
	}
	one := counts()
	one.add(base, -1)

	const name = "adapters-traffic"
	total, ok := e.shared[name].(*traffic)
	if !ok {
		total = &traffic{requests: map[string]int{}}
		e.shared[name] = total
		e.requests = func() (map[string]int, error) { return maps.Clone(total.requests), nil }
		e.received = func() int { return total.received }
	}

	return func(n int) error {
		total.add(one, n)
		return op(n)
	}, nil
}

// countingProxy starts a proxy in front of target. It returns the address of the proxy, and a
// function that returns the traffic so far.
func (e *env) countingProxy(target string) (address string, counts func() traffic, err error) {
	u, err := url.Parse(target)
	if err != nil {
		return "", nil, err
	}

	c := &trafficCounter{traffic: traffic{requests: map[string]int{}}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			// Keep the host, because the signature covers it.
			r.Out.Host = r.In.Host
			c.addRequest(r.In.Method)
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = countedBody{r.Body, c}
			return nil
		},
	}

	server := httptest.NewServer(proxy)
	e.closeAtEnd(server.Close)
	return server.URL, c.counts, nil
}

// A trafficCounter counts the traffic of a proxy. Several goroutines may use it at the same time.
type trafficCounter struct {
	mu      sync.Mutex
	traffic traffic
}

func (c *trafficCounter) addRequest(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic.requests[method]++
}

func (c *trafficCounter) addReceived(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic.received += n
}

// counts returns the traffic so far.
func (c *trafficCounter) counts() traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	return traffic{maps.Clone(c.traffic.requests), c.traffic.received}
}

// A countedBody counts the bytes of each Read.
type countedBody struct {
	io.ReadCloser
	counter *trafficCounter
}

func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.counter.addReceived(n)
	return n, err
}
