package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
)

// startAttempts are made with a port each: between being found free and being
// listened on, another process may take it.
const startAttempts = 3

// A fleet is the servers that run.
type fleet struct {
	running   []*process
	dirs      []string
	variables []string // for the command, as in os.Environ
}

// start builds, starts and waits for one more server.
func (f *fleet) start(ctx context.Context, s server) error {
	program, err := s.binary.path(ctx)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		l, p, err := f.launch(s, program)
		if err != nil {
			return err
		}
		err = p.waitReady(ctx, l)
		if err == nil {
			f.running = append(f.running, p)
			f.variables = append(f.variables, s.variable("")+"="+l.url)
			for what, value := range l.variables {
				f.variables = append(f.variables, s.variable(what)+"="+value)
			}
			return nil
		}
		_ = p.stop()
		if attempt == startAttempts || !errors.Is(err, errEnded) {
			return err
		}
	}
}

// launch starts a server in a new place.
func (f *fleet) launch(s server, program string) (launch, *process, error) {
	dir, err := os.MkdirTemp("", "omnibucket-"+s.name+"-*")
	if err != nil {
		return launch{}, nil, err
	}
	f.dirs = append(f.dirs, dir)
	host, err := freePort()
	if err != nil {
		return launch{}, nil, err
	}
	l, err := s.launch(place{dir: dir, host: host})
	if err != nil {
		return launch{}, nil, fmt.Errorf("preparing %s: %w", s.name, err)
	}
	p, err := startProcess(s.name, program, dir, l)
	return l, p, err
}

// freePort is an address of this machine alone that nobody listens on.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// stop ends the servers and removes what they stored. Its error tells of
// servers that had ended before.
func (f *fleet) stop() error {
	var errs []error
	for _, p := range slices.Backward(f.running) {
		errs = append(errs, p.stop())
	}
	for _, dir := range f.dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
