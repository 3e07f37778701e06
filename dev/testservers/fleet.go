package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
)

// startAttempts is the number of attempts with a new port each, because another
// process may take a free port before the server does.
const startAttempts = 3

// A fleet is a set of running servers.
type fleet struct {
	running   []*process
	dirs      []string
	variables []string // for the command, as in os.Environ
}

// A pendingServer is a server that is being started.
type pendingServer struct {
	server  server
	program []string

	launch  launch
	process *process
	err     error // why it is not ready
}

// start builds the servers in turn, starts all of them, and waits until they are
// ready. It starts them on the caller's thread: see dieWithParent.
func (f *fleet) start(ctx context.Context, servers []server) error {
	var waiting []*pendingServer
	for _, s := range servers {
		path, err := ensureBuilt(ctx, s.tool)
		if err != nil {
			return err
		}
		if s.find != nil {
			l, err := s.find(ctx, path)
			if err != nil {
				return err
			}
			f.publish(s, l)
			continue
		}
		program, err := s.tool.command(ctx, path)
		if err != nil {
			return err
		}
		waiting = append(waiting, &pendingServer{server: s, program: program})
	}
	for range startAttempts {
		if err := f.launchAll(ctx, waiting); err != nil {
			return err
		}
		waiting = slices.DeleteFunc(waiting, func(s *pendingServer) bool { return s.err == nil })
		if slices.ContainsFunc(waiting, func(s *pendingServer) bool { return !errors.Is(s.err, errEnded) }) {
			break // another port does not help a server that runs and does not respond
		}
	}
	var errs []error
	for _, s := range waiting {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

// launchAll starts the waiting servers and keeps those that become ready. It returns
// only errors that affect all servers.
func (f *fleet) launchAll(ctx context.Context, waiting []*pendingServer) error {
	for _, s := range waiting {
		var err error
		if s.launch, s.process, err = f.launch(s.server, s.program); err != nil {
			return err
		}
		f.running = append(f.running, s.process)
	}
	var group sync.WaitGroup
	for _, s := range waiting {
		group.Go(func() { s.err = s.process.waitReady(ctx) })
	}
	group.Wait()
	for _, s := range waiting {
		if s.err != nil {
			_ = s.process.stop()
			f.running = slices.DeleteFunc(f.running, func(p *process) bool { return p == s.process })
			continue
		}
		f.publish(s.server, s.launch)
	}
	return nil
}

// publish adds the variables of a server for the command.
func (f *fleet) publish(s server, l launch) {
	f.variables = append(f.variables, s.variable("")+"="+l.url)
	for what, value := range l.variables {
		f.variables = append(f.variables, s.variable(what)+"="+value)
	}
}

// launch starts a server with a new directory and port.
func (f *fleet) launch(s server, program []string) (launch, *process, error) {
	dir, err := os.MkdirTemp(memory(), "omnibucket-"+s.name+"-*")
	if err != nil {
		return launch{}, nil, err
	}
	f.dirs = append(f.dirs, dir)
	host, err := freePort()
	if err != nil {
		return launch{}, nil, err
	}
	l, err := s.launch(instance{dir: dir, host: host})
	if err != nil {
		return launch{}, nil, fmt.Errorf("preparing %s: %w", s.name, err)
	}
	p, err := startProcess(s.name, program, dir, l)
	return l, p, err
}

// Linux and macOS give other ports to a connection or a listener that names none. So no other
// program gets a server's port while the server starts, or after it has ended.
const firstPort, lastPort = 10000, 32767

// freePort returns a loopback address whose port is free.
func freePort() (string, error) {
	var lastErr error
	for range 100 {
		host := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort+1)))
		var listener net.Listener
		if listener, lastErr = net.Listen("tcp", host); lastErr == nil {
			return host, listener.Close()
		}
	}
	return "", lastErr
}

// watch reports servers that end before the context does.
func (f *fleet) watch(ctx context.Context, report func(error)) {
	for _, p := range f.running {
		go func() {
			select {
			case <-p.ended:
				report(p.failure(errEnded))
			case <-ctx.Done():
			}
		}()
	}
}

// check returns what keeps servers from responding as they did when they were started.
func (f *fleet) check(ctx context.Context) error {
	var errs []error
	for _, p := range f.running {
		if err := p.ask(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// stop ends the servers and removes their data. It returns an error for servers that
// had already ended.
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
