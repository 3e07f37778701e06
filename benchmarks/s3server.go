package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage/benchmarks/nulls3"
)

var (
	nearPlain = nulls3.Options{}
	nearTLS   = nulls3.Options{TLS: true}
	// far is a store across a data centre's network.
	far = nulls3.Options{TLS: true, Latency: 20 * time.Millisecond, Bandwidth: 50e6}
)

const farTitle = "TLS, 20 ms a request, 50 MB/s a connection"

// A serverOrder is what a server in a process of its own reads first, from its
// standard input; it ends when that ends.
type serverOrder struct {
	Options     nulls3.Options
	Certificate *nulls3.Certificate
}

type serverReady struct{ URL string }

func runServer(in io.Reader, out io.Writer) error {
	var order serverOrder
	if err := readJSON(in, &order); err != nil {
		return err
	}
	s, err := nulls3.Start(order.Options, order.Certificate)
	if err != nil {
		return err
	}
	if err := writeJSON(out, serverReady{s.URL}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in) // until whoever started it has ended
	return s.Close()
}

// server is the URL of a null server of the case's own.
func (e *env) server(o nulls3.Options) (string, error) {
	if url, ok := e.shared["null S3 server"].(string); ok {
		return url, nil
	}
	certificate, err := trusted()
	if err != nil {
		return "", err
	}
	cmd, err := e.child(childServer)
	if err != nil {
		return "", err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	e.cleanup = append(e.cleanup, func() error { return errors.Join(in.Close(), cmd.Wait()) })
	var ready serverReady
	if err := errors.Join(writeJSON(in, serverOrder{o, certificate}), readJSON(out, &ready)); err != nil {
		return "", err
	}
	e.shared["null S3 server"] = ready.URL
	e.requests = func() (map[string]int, error) { return nulls3.Counts(http.DefaultClient, ready.URL) }
	return ready.URL, nil
}

// trusted is the certificate of all servers. Every contender's own HTTP client,
// in this process and in children, finds it as it finds the system's: so none
// needs another client than its users have. Systems that keep their
// certificates elsewhere than in files do not look there.
var trusted = sync.OnceValues(func() (*nulls3.Certificate, error) {
	certificate, err := nulls3.NewCertificate()
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "omnibucket-benchmarks-*.pem")
	if err != nil {
		return nil, err
	}
	certificateFile = file.Name()
	_, err = file.Write(certificate.Certificate)
	return certificate, errors.Join(err, file.Close(), os.Setenv("SSL_CERT_FILE", certificateFile))
})

// certificateFile is where the certificate is, if there is one; it goes when
// the program ends.
var certificateFile string

func removeCertificate() {
	if certificateFile != "" {
		_ = os.Remove(certificateFile)
	}
}
