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
	host    string // the address of the first attempt, if it is free

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
	own, err := ownHash()
	if err != nil {
		return err
	}
	for _, s := range waiting {
		s.host = usualHost(own, s.server.name, s.program)
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
		if s.launch, s.process, err = f.launch(s); err != nil {
			return err
		}
		s.host = "" // the next attempt has another
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
func (f *fleet) launch(s *pendingServer) (launch, *process, error) {
	host, err := freeHost(s.host)
	if err != nil {
		return launch{}, nil, err
	}
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

// Linux and macOS give other ports to a connection or a listener that names none. So no other
// program gets a server's port while the server starts, or after it has ended.
const firstPort, lastPort = 10000, 32767

// usualHost returns the address that a server has in each run, unless its port is taken. Go keeps the result of
// a test with the addresses that the test has read. So they are others if this program, which has the settings of the
// servers, or the server's program has another version.
func usualHost(own []byte, name string, program []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%x %q %q", own, name, program))
	return hostOf(int(binary.BigEndian.Uint32(sum[:]) % (lastPort - firstPort + 1)))
}

// hostOf returns the loopback address with the port of that number, which begins with 0.
func hostOf(number int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+number)) }

// ownHash returns the hash of this program.
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

// freeHost returns host, or another loopback address if that is empty or its port is taken.
func freeHost(host string) (string, error) {
	var lastErr error
	for range 100 {
		if host == "" {
			host = hostOf(rand.IntN(lastPort - firstPort + 1))
		}
		var listener net.Listener
		if listener, lastErr = net.Listen("tcp", host); lastErr == nil {
			return host, listener.Close()
		}
		host = ""
	}
	return "", lastErr
}

// staleAfter is the age of a directory that no run is about to use, if the port of its server is free.
const staleAfter = time.Hour

// newDir makes the directory of a server. It has the same name in each run, because tests read the name of a
// certificate in it. It replaces one that a killed run has left, if that is old: another may just begin.
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
	if info, err := os.Lstat(dir); err == nil && time.Since(info.ModTime()) > staleAfter {
		_ = os.RemoveAll(dir) // it may be another user's
	}
	if err := os.Mkdir(dir, 0o700); !errors.Is(err, os.ErrExist) {
		return dir, err
	}
	return os.MkdirTemp(parent, "omnibucket-"+name+"-*")
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
