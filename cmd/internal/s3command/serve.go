// Package s3command is what the command lines of the S3 server share: "omnibucket serve
// --s3", and cmd/s3server.
package s3command

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/omnibucket/storage/cmd/internal/httpserver"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server"
)

// grace is how long requests may take to finish after the end was asked for. Docker kills a
// container after 10 seconds.
const grace = 8 * time.Second

// An Environment is what a command gets from its caller.
type Environment struct {
	Err    io.Writer                                     // for credentials, fingerprint and access log
	Lookup func(name string) (value string, exists bool) // of the process's environment
	Ready  func(url string)                              // called when requests are accepted
}

// Serve serves S3 over service until ctx is done. If service is nil, it keeps everything in
// memory. It closes service.
func (f *Flags) Serve(ctx context.Context, env Environment, service driver.ServiceDriver) (result error) {
	if service != nil {
		defer func() { result = errors.Join(result, service.Close()) }()
	}
	if err := f.check(); err != nil {
		return err
	}
	pair, generated, err := findCredential(env.Lookup)
	if err != nil {
		return err
	}
	c := &command{flags: f, env: env, pair: pair, generated: generated}
	defer func() { result = errors.Join(result, c.close()) }()
	if f.admin {
		c.setAdminToken()
	}
	if err := c.start(ctx, service); err != nil {
		return err
	}
	if err := c.announce(); err != nil {
		return err
	}
	return c.wait(ctx)
}

// A command is one run of [Flags.Serve].
type command struct {
	flags      *Flags
	env        Environment
	pair       s3server.Credential
	generated  bool
	adminToken string // "": no admin API
	newToken   bool   // generated

	server    *s3server.Server
	accessLog *accessLog
	metrics   *metrics
	atMetrics net.Listener
	announced bool // the ready file is there
}

// adminVariable is the environment variable with the token of the admin API.
const adminVariable = "S3_ADMIN_TOKEN"

// adminRecord is how many requests the admin API lists.
const adminRecord = 1_000

// setAdminToken takes the token of the environment, or generates one.
func (c *command) setAdminToken() {
	c.adminToken, _ = c.env.Lookup(adminVariable)
	if c.adminToken == "" {
		c.adminToken, c.newToken = rand.Text(), true
	}
}

// start does everything that can fail. Requests are accepted when it returns.
func (c *command) start(ctx context.Context, service driver.ServiceDriver) error {
	f := c.flags
	if f.accessLog != "" {
		var err error
		if c.accessLog, err = openAccessLog(f.accessLog, c.env.Err); err != nil {
			return err
		}
	}
	if f.metrics != "" {
		c.metrics = newMetrics()
		var err error
		if c.atMetrics, err = (&net.ListenConfig{}).Listen(ctx, "tcp", f.metrics); err != nil {
			return err
		}
	}
	config, err := c.config(service)
	if err != nil {
		return err
	}
	c.server, err = s3server.Start(config)
	return err
}

func (c *command) config(service driver.ServiceDriver) (s3server.Config, error) {
	f := c.flags
	config := s3server.Config{
		Service: service, Credentials: []s3server.Credential{c.pair}, AdminToken: c.adminToken,
		Addr: f.Listen, Region: f.region, Strict: f.strict, Buckets: f.create, MaxBytes: int64(f.maxBytes), WebhookURL: f.webhook,
		EventARNs: f.targets, LifecycleDay: f.day,
		Log: c.log(),
	}
	if f.admin {
		config.Record = adminRecord
	}
	domains := append([]string{"localhost"}, f.domains...)
	if len(f.domains) > 0 {
		config.Domains = domains
	}
	config.Middleware = func(s3 http.Handler) http.Handler {
		return withHealth(domains, s3)
	}
	switch {
	case f.certFile != "":
		certificate, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
		if err != nil {
			return config, err
		}
		config.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	case f.tls:
		config.TLS = &tls.Config{}
	}
	return config, nil
}

// log returns what is called for each request, or nil.
func (c *command) log() func(s3server.Entry) {
	switch {
	case c.accessLog != nil && c.metrics != nil:
		return func(e s3server.Entry) {
			c.accessLog.add(e)
			c.metrics.add(e)
		}
	case c.accessLog != nil:
		return c.accessLog.add
	case c.metrics != nil:
		return c.metrics.add
	}
	return nil
}

// announce prints what clients need to know.
func (c *command) announce() error {
	if c.flags.tls {
		if err := c.announceCertificate(); err != nil {
			return err
		}
	}
	if c.generated {
		c.printLine("# The environment has no credentials. These are valid until this server ends:")
		for _, variable := range c.server.Env() {
			name, value, _ := strings.Cut(variable, "=")
			if name == "AWS_CA_BUNDLE" && c.flags.caFile != "" {
				value = c.flags.caFile
			}
			c.printLine("export " + name + "=" + quoted(value))
		}
		c.printLine("# The address for omnibucket of a bucket such as photos: " + c.server.Address("photos"))
	}
	if c.newToken {
		c.printLine("# The admin API is at /_admin/. Its token is valid until this server ends:")
		c.printLine("export " + adminVariable + "=" + c.adminToken)
	}
	if name := c.flags.readyFile; name != "" {
		if err := os.WriteFile(name+".new", []byte(c.server.URL+"\n"), 0o644); err != nil {
			return err
		}
		if err := os.Rename(name+".new", name); err != nil { // a reader never sees a part of it
			return err
		}
		c.announced = true
	}
	c.env.Ready(c.server.URL)
	return nil
}

func (c *command) announceCertificate() error {
	der := c.server.Certificate().Raw
	c.printLine(fmt.Sprintf("# SHA-256 fingerprint of the certificate: %X", sha256.Sum256(der)))
	if c.flags.caFile == "" {
		return nil
	}
	return os.WriteFile(c.flags.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func (c *command) printLine(line string) { _, _ = fmt.Fprintln(c.env.Err, line) }

// wait serves until ctx is done, and then lets requests finish.
func (c *command) wait(ctx context.Context) error {
	var err error
	if c.metrics == nil {
		<-ctx.Done()
	} else {
		c.metrics.inFlight = c.server.Busy
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", c.metrics)
		err = httpserver.Serve(ctx, c.atMetrics, mux)
	}
	finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	_ = c.server.Shutdown(finishing) // requests that take longer are cut
	return err
}

// close ends everything that was started.
func (c *command) close() error {
	if c.announced {
		_ = os.Remove(c.flags.readyFile)
	}
	if c.server != nil {
		c.server.Close()
	}
	if c.atMetrics != nil {
		_ = c.atMetrics.Close() // again, if it was served
	}
	if c.accessLog == nil {
		return nil
	}
	return c.accessLog.close()
}

// quoted returns text as one word of a shell.
func quoted(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:[]", r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
