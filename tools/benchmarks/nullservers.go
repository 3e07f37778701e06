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
	// far is a store across a data centre's network.
	far = &nullserver.Options{TLS: true, Latency: 20 * time.Millisecond, Bandwidth: 50e6}
	// farLink has 1 Gbit/s in all.
	farLink    = &nullserver.Options{TLS: true, Latency: far.Latency, Bandwidth: far.Bandwidth, Link: 125e6}
	farLatency = &nullserver.Options{Latency: far.Latency}
)

const farTitle = "TLS, 20 ms a request, 50 MB/s a connection"

// A serverOrder is the first value that a server in a process of its own reads
// from its standard input. It runs until its standard input ends.
type serverOrder struct {
	Options     nullserver.Options
	Certificate *nullserver.Certificate
}

type serverReady struct{ URL string }

func (p *provider) runServer(in io.Reader, out io.Writer) error {
	var order serverOrder
	if err := readJSON(in, &order); err != nil {
		return err
	}
	server, err := nullserver.Start(p.service, order.Options, order.Certificate)
	if err != nil {
		return err
	}
	if err := writeJSON(out, serverReady{server.URL}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	return server.Close()
}

// server returns the URL of the case's null server, and starts it if necessary.
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

// trusted returns the certificate of all servers. Each contender's own HTTP
// client finds it like those of the system, here and in children, so that none
// needs another client than its users have. Systems that do not keep
// certificates in files do not find it.
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
	return certificate, errors.Join(
		err, file.Close(), os.Setenv("SSL_CERT_FILE", certificateFile), os.Unsetenv("AWS_CA_BUNDLE"),
	)
})

// certificateFile is removed when the program ends; "" if there is none.
var certificateFile string

func removeCertificate() {
	if certificateFile != "" {
		_ = os.Remove(certificateFile)
	}
}
