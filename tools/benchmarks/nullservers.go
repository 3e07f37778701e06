package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

var (
	nearPlain = &nullserver.Options{}
	nearTLS   = &nullserver.Options{TLS: true}
	// far behaves like a store at a distance of 20 ms, with 50 MB per second for each connection.
	far = &nullserver.Options{TLS: true, Latency: 20 * time.Millisecond, Bandwidth: 50e6}
	// farLink is like far, but all connections together have only 1 Gbit/s.
	farLink    = &nullserver.Options{TLS: true, Latency: far.Latency, Bandwidth: far.Bandwidth, Link: 125e6}
	farLatency = &nullserver.Options{Latency: far.Latency}
)

const farTitle = "TLS, 20 ms a request, 50 MB/s a connection"

// A serverOrder tells a child process which null server to run. The child reads it from its
// standard input, and runs the server until that input ends.
type serverOrder struct {
	Options     nullserver.Options
	Certificate *nullserver.Certificate
}

type serverReady struct{ URL string }

// runServer is the part of provider.server that runs in the child. It starts the null server, writes
// the URL of the server to w, and serves until src ends.
func (p *provider) runServer(src io.Reader, w io.Writer) error {
	var order serverOrder
	if err := readJSON(src, &order); err != nil {
		return err
	}
	server, err := nullserver.Start(p.service, order.Options, order.Certificate)
	if err != nil {
		return err
	}
	if err := writeJSON(w, serverReady{server.URL}); err != nil {
		return err
	}

	// src ends when the benchmark closes it or dies.
	_, _ = io.Copy(io.Discard, src)
	return server.Close()
}

// server returns the URL of the null server of the case. The first call starts the server in a
// child process.
func (p *provider) server(e *env, o nullserver.Options) (string, error) {
	if url, ok := e.shared[p.name].(string); ok {
		return url, nil
	}
	certificate, err := trusted()
	if err != nil {
		return "", err
	}
	server, err := e.startChild(p.name)
	if err != nil {
		return "", err
	}
	e.cleanup = append(e.cleanup, server.close)
	var ready serverReady
	if err := errors.Join(writeJSON(server.in, serverOrder{o, certificate}), readJSON(server.out, &ready)); err != nil {
		return "", err
	}
	e.shared[p.name] = ready.URL
	e.requests = func() (map[string]int, error) { return nullserver.Counts(http.DefaultClient, ready.URL) }
	return ready.URL, nil
}

// trusted returns the TLS certificate of all null servers. It also makes this process and its
// children trust the certificate. So the contenders need no special HTTP clients. If a system does
// not keep certificates in files, its programs do not trust the certificate.
var trusted = sync.OnceValues(func() (*nullserver.Certificate, error) {
	certificate, err := nullserver.NewCertificate()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "omnibucket-benchmarks-*.pem")
	if err != nil {
		return nil, err
	}
	certificateFile = file.Name()
	_, err = file.Write(certificate.Certificate)
	return certificate, errors.Join(err, file.Close(), os.Setenv("SSL_CERT_FILE", certificateFile),
		os.Unsetenv("AWS_CA_BUNDLE"))
})

// certificateFile is the path of the file with the certificate, or "". The file is removed when the
// program ends.
var certificateFile string

func removeCertificate() {
	if certificateFile != "" {
		_ = os.Remove(certificateFile)
	}
}
