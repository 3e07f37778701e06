package main

import (
	"errors"
	"io"
	"net/http"

	"github.com/omnibucket/storage/benchmarks/nullazure"
	"github.com/omnibucket/storage/benchmarks/nullgcs"
	"github.com/omnibucket/storage/benchmarks/nulls3"
	"github.com/omnibucket/storage/benchmarks/nullserver"
)

// A nullService is one whose servers run as a job of a child.
type nullService struct {
	job     string
	service nullserver.Service
}

var (
	amazonStorage = nullService{"null S3 server", nulls3.Service{}}
	googleStorage = nullService{"null GCS server", nullgcs.Service{}}
	azureStorage  = nullService{"null Azure server", nullazure.Service{}}
)

// A serverOrder is what a server in a process of its own reads first, from its
// standard input.
type serverOrder struct {
	Options     nullserver.Options
	Certificate *nullserver.Certificate
}

type serverReady struct{ URL string }

// run is the child: it ends when its standard input does.
func (s nullService) run(in io.Reader, out io.Writer) error {
	var order serverOrder
	if err := readJSON(in, &order); err != nil {
		return err
	}
	server, err := nullserver.Start(s.service, order.Options, order.Certificate)
	if err != nil {
		return err
	}
	if err := writeJSON(out, serverReady{server.URL}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in) // until whoever started it has ended
	return server.Close()
}

// at is the URL of a server of the case's own.
func (s nullService) at(o nullserver.Options) func(*env) (string, error) {
	return func(e *env) (string, error) {
		if url, ok := e.shared[s.job].(string); ok {
			return url, nil
		}
		certificate, err := trusted()
		if err != nil {
			return "", err
		}
		cmd, err := e.child(s.job)
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
		e.shared[s.job] = ready.URL
		e.requests = func() (map[string]int, error) { return nullserver.Counts(http.DefaultClient, ready.URL) }
		return ready.URL, nil
	}
}
