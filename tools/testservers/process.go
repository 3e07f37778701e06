package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyTimeout = 5 * time.Minute
	readyPoll    = 50 * time.Millisecond
	askTimeout   = 10 * time.Second
	stopTimeout  = 30 * time.Second // time from SIGTERM to SIGKILL
	tailSize     = 16 << 10         // number of bytes of a server's output that an error includes
)

// errEnded is the error if a server ended although nothing has stopped it.
var errEnded = errors.New("the server ended")

// A process is a server that was started.
type process struct {
	name    string
	launch  launch
	command *exec.Cmd
	output  tail
	ended   chan struct{}
	err     error // error with which the process ended; must be read only after ended was closed
}

// startProcess starts a server in the directory dir, with the arguments and the environment of its
// launch. It does not wait until the server accepts requests.
func startProcess(name string, program []string, dir string, l launch) (*process, error) {
	p := &process{name: name, launch: l, ended: make(chan struct{})}
	p.command = exec.Command(program[0], append(slices.Clone(program[1:]), l.args...)...)
	p.command.Dir = dir
	// The server must not depend on the developer's environment.
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, l.env...)
	p.command.Stdout = &p.output
	p.command.Stderr = &p.output
	// The server gets its own process group, so that Ctrl-C in the terminal does not end the
	// server. The command may still need the server at that time. This program ends the server
	// after the command.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(p.command.SysProcAttr)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// waitReady waits until the server accepts requests. It fails if the server ends before, or does not
// respond within readyTimeout.
func (p *process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout,
		fmt.Errorf("%s did not respond within %s", p.launch.ready, readyTimeout))
	defer cancel()
	var lastErr error // error of the last attempt that ctx did not interrupt
	for {
		if err := p.ask(ctx); err == nil || ctx.Err() == nil {
			lastErr = err
		}

		// If the server has ended, another process at its port has sent the response.
		select {
		case <-p.ended:
			return p.failure(errEnded)
		default:
		}
		if lastErr == nil && ctx.Err() == nil {
			return nil
		}

		// If the server ends during the pause, the next attempt comes at once and reports it.
		select {
		case <-p.ended:
		case <-ctx.Done():
			return p.failure(errors.Join(context.Cause(ctx), lastErr))
		case <-time.After(readyPoll):
		}
	}
}

// ask sends a request to the server. It returns nil if the response shows that the server accepts
// requests.
func (p *process) ask(ctx context.Context) error {
	client := p.launch.client
	if client == nil {
		client = http.DefaultClient
	}
	return ask(ctx, client, p.launch.ready, cmp.Or(p.launch.readyStatus, http.StatusOK))
}

// ask sends a request to a server. It fails unless the response has the given status.
func ask(ctx context.Context, client *http.Client, address string, status int) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return errors.New(strings.TrimSpace(fmt.Sprintf("%s responded with %s %s", address, response.Status, body)))
	}
	return nil
}

// stop ends the server. It returns an error if the server had already ended by itself.
func (p *process) stop() error {
	select {
	case <-p.ended:
		return p.failure(errEnded)
	default:
	}
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.command.Process.Kill()
		<-p.ended
	}
	return nil
}

// failure returns err with the last lines of the server's output.
func (p *process) failure(err error) error {
	select {
	case <-p.ended:
		if p.err != nil {
			err = fmt.Errorf("%w: %w", err, p.err)
		}
	default:
	}
	return fmt.Errorf("%s: %w; the last of its output:\n%s", p.name, err, p.output.String())
}

// A tail is an io.Writer that keeps only the last bytes.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if excess := len(t.last) - tailSize; excess > 0 {
		t.last = append(t.last[:0], t.last[excess:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == 0 {
		return "(none)"
	}
	return string(t.last)
}
