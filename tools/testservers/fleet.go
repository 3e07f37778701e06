package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// startAttempts is the number of attempts to start a server. Each attempt uses a new port, because
// another process may take a free port before the server does.
const startAttempts = 3

// A fleet is the set of all servers that this program has started.
type fleet struct {
	running   []*process
	hosts     []string // addresses of all servers, including the servers that failed to start
	dirs      []string
	variables []string // environment variables of the command, such as "NAME=value"
}

// A pendingServer is a server that has not accepted requests yet.
type pendingServer struct {
	server  server
	program []string
	host    string // address to try first; "" for any address

	launch  launch
	process *process
	err     error // reason why the server is not ready
}

// start builds the servers one after the other, starts all of them, and waits until they accept
// requests. It starts them in the thread of the caller, because the servers end together with that
// thread (see dieWithParent).
func (f *fleet) start(ctx context.Context, servers []server) error {
	waiting, err := f.build(ctx, servers)
	if err != nil {
		return err
	}

	// The addresses stay the same from run to run, so that the Go command can reuse the results of
	// the tests that read them.
	hash, err := ownHash()
	if err != nil {
		return err
	}
	for _, s := range waiting {
		s.host = usualHost(hash, s.server.name, s.program)
	}

	for range startAttempts {
		if err := f.launchAll(ctx, waiting); err != nil {
			return err
		}
		waiting = slices.DeleteFunc(waiting, func(s *pendingServer) bool { return s.err == nil })

		// A server that ended may have lost its port to another process. But another port does not
		// help a server that runs and does not respond.
		isStuck := func(s *pendingServer) bool { return !errors.Is(s.err, errEnded) }
		if slices.ContainsFunc(waiting, isStuck) {
			break
		}
	}

	var errs []error
	for _, s := range waiting {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

// build builds the servers, and returns those that must be started. A server that is only found, such
// as a browser, is published at once.
func (f *fleet) build(ctx context.Context, servers []server) ([]*pendingServer, error) {
	var waiting []*pendingServer
	for _, s := range servers {
		path, err := ensureBuilt(ctx, s.tool)
		if err != nil {
			return nil, err
		}
		if s.find != nil {
			l, err := s.find(ctx, path)
			if err != nil {
				return nil, err
			}
			f.publish(s, l)
			continue
		}
		program, err := s.tool.command(ctx, path)
		if err != nil {
			return nil, err
		}
		waiting = append(waiting, &pendingServer{server: s, program: program})
	}
	return waiting, nil
}

// launchAll starts the waiting servers, and keeps those that accept requests. It returns an error
// only if the error affects all servers.
func (f *fleet) launchAll(ctx context.Context, waiting []*pendingServer) error {
	for _, s := range waiting {
		l, process, err := f.launch(s)
		if err != nil {
			return err
		}
		s.launch = l
		s.process = process
		s.host = "" // makes the next attempt use another address
		f.running = append(f.running, process)
	}

	var group sync.WaitGroup
	for _, s := range waiting {
		group.Go(func() {
			s.err = s.process.waitReady(ctx)
		})
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

// publish adds the environment variables of a server to those of the command.
func (f *fleet) publish(s server, l launch) {
	f.variables = append(f.variables, s.variable("")+"="+l.url)
	for what, value := range l.variables {
		f.variables = append(f.variables, s.variable(what)+"="+value)
	}
}

// launch starts a server with a new directory and a free port.
func (f *fleet) launch(s *pendingServer) (launch, *process, error) {
	host, err := freeHost(s.host, f.hosts)
	if err != nil {
		return launch{}, nil, err
	}
	f.hosts = append(f.hosts, host)
	dir, err := newDir(s.server.name, host)
	if err != nil {
		return launch{}, nil, err
	}
	f.dirs = append(f.dirs, dir)
	l, err := s.server.launch(instance{dir: dir, host: host})
	if err != nil {
		return launch{}, nil, fmt.Errorf("preparing %s: %w", s.server.name, err)
	}
	p, err := startProcess(s.server.name, s.program, dir, l)
	return l, p, err
}

// On Linux and macOS, the system never assigns these ports by itself. So no other program gets the
// port of a server by chance, while the server starts or after it has ended.
const firstPort, lastPort = 10000, 32767

// usualHost returns an address that is usually the same in later runs. Tests read the address from
// an environment variable. The Go command reuses the result of a test only if the variable has not
// changed. The address changes if the program of the server changes. It also changes if this
// program changes, because this program contains the settings of the servers.
func usualHost(seed []byte, name string, program []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%x %q %q", seed, name, program))
	return hostOf(int(binary.BigEndian.Uint32(sum[:]) % (lastPort - firstPort + 1)))
}

// hostOf returns a loopback address with the port firstPort + number.
func hostOf(number int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+number)) }

// ownHash returns a hash of this program's executable file.
func ownHash() ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hash.Sum(nil), err
}

// freeHost returns host if its port is free. If the port is not free, or if host is "", it returns
// another loopback address with a free port. It never returns one of the addresses of other servers.
// A server that is still starting does not use its port yet, so the port looks free.
func freeHost(host string, others []string) (string, error) {
	const attempts = 100
	var lastErr error
	for attempt := range attempts {
		candidate := host
		if attempt > 0 || host == "" {
			candidate = hostOf(rand.IntN(lastPort - firstPort + 1))
		}
		if slices.Contains(others, candidate) {
			continue
		}

		// A port is free if a listener can use it.
		listener, err := net.Listen("tcp", candidate)
		if err != nil {
			lastErr = err
			continue
		}
		return candidate, listener.Close()
	}
	return "", lastErr
}

// staleAfter is the age from which newDir replaces an existing directory of a server. The name of
// the directory contains a port. newDir is called only if this port is free, so no running server
// uses the directory. A killed run has left the directory.
const staleAfter = time.Hour

// newDir creates the directory of a server. Usually the name of the directory is the same in each
// run. Tests read the path of a certificate in the directory, and Go reuses test results only if
// that path is the same. A directory that a killed run has left is replaced, but only if it is old.
// A younger directory may belong to a run that is just starting.
func newDir(name, host string) (string, error) {
	parent := memory()
	if parent == "" {
		parent = os.TempDir()
	}
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "omnibucket-"+name+"-"+port)
	info, err := os.Lstat(dir)
	isStale := err == nil && time.Since(info.ModTime()) > staleAfter
	if isStale {
		_ = os.RemoveAll(dir) // fails if the directory belongs to another user
	}

	// If another run uses the directory, take one with a random name.
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return os.MkdirTemp(parent, "omnibucket-"+name+"-*")
	}
	return dir, err
}

// watch watches the servers in the background. If a server ends before ctx is done, watch passes an
// error to the given function.
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

// check returns an error if a server no longer accepts requests.
func (f *fleet) check(ctx context.Context) error {
	var errs []error
	for _, p := range f.running {
		if err := p.ask(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// stop ends the servers and removes their data. It returns an error if a server had already ended
// by itself.
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
