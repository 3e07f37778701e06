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

// countedOp sends one operation through a proxy in front of MinIO, and counts the traffic. It
// returns the function that the benchmark measures. The returned function calls op, which does not
// use the proxy, because the proxy would make the operations slower. For each operation, the
// returned function adds the counted traffic to the totals in e.
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

	var mu sync.Mutex
	t := traffic{requests: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			// Keep the host, because the signature covers it.
			r.Out.Host = r.In.Host
			mu.Lock()
			defer mu.Unlock()
			t.requests[r.In.Method]++
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = countedBody{r.Body, func(n int) {
				mu.Lock()
				defer mu.Unlock()
				t.received += n
			}}
			return nil
		},
	}

	server := httptest.NewServer(proxy)
	e.cleanup = append(e.cleanup, func() error {
		server.Close()
		return nil
	})
	return server.URL, func() traffic {
		mu.Lock()
		defer mu.Unlock()
		return traffic{maps.Clone(t.requests), t.received}
	}, nil
}

// A countedBody calls count with the number of bytes of each Read.
type countedBody struct {
	io.ReadCloser
	count func(n int)
}

func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.count(n)
	return n, err
}
