package main

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/omnibucket/storage/benchmarks/nullserver"
)

var (
	nearPlain = nullserver.Options{}
	nearTLS   = nullserver.Options{TLS: true}
	// far is a store across a data centre's network.
	far = nullserver.Options{TLS: true, Latency: 20 * time.Millisecond, Bandwidth: 50e6}
)

const farTitle = "TLS, 20 ms a request, 50 MB/s a connection"

// server is the URL of a null S3 server of the case's own.
func (e *env) server(o nullserver.Options) (string, error) { return amazonStorage.at(o)(e) }

// trusted is the certificate of all servers. Every contender's own HTTP client,
// in this process and in children, finds it as it finds the system's: so none
// needs another client than its users have. Systems that keep their
// certificates elsewhere than in files do not look there.
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
