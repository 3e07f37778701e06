// Package s3command implements the flags and the work of the programs s3server and "omnibucket
// serve --s3". It is only for these two programs, and may change at any time.
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
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/s3server/console"
)

// grace is the time that requests in progress have to finish after the server was told to stop. It
// is less than the 10 seconds after which Docker kills a container.
const grace = 8 * time.Second

// An Environment is the part of the process's environment that a command uses.
type Environment struct {
	Err    io.Writer                                     // for credentials, a fingerprint and the access log
	Lookup func(name string) (value string, exists bool) // reads a variable of the process's environment
	Ready  func(url string)                              // called when the server accepts requests
}

// Serve serves S3 until ctx is done, with the objects in service or, if service is nil, in memory. It closes service.
func (f *Flags) Serve(ctx context.Context, env Environment, service driver.ServiceDriver) (result error) {
	if service != nil {
		defer func() {
			result = errors.Join(result, service.Close())
		}()
	}
	if err := f.check(); err != nil {
		return err
	}

	overStore := service != nil
	restoreCollector := collectGarbage(env, overStore)
	defer restoreCollector()

	c := &command{flags: f, env: env}
	if err := c.readSettings(); err != nil {
		return err
	}

	defer func() {
		result = errors.Join(result, c.close())
	}()

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
	flags       *Flags
	env         Environment
	credentials credentials            // the server's own credential, and where it comes from
	users       []s3server.Credential  // users of the manifest, in addition to the server's credential
	buckets     []s3server.BucketSetup // buckets to create before the first request
	adminToken  string                 // token of the admin API; "" if there is no admin API
	newToken    bool                   // true if adminToken was generated

	minioVariables []string // names of MinIO's environment variables that are in use

	server          *s3server.Server
	accessLog       *accessLog
	metrics         *metrics     // nil if there are no metrics
	metricsListener net.Listener // nil if there are no metrics
	requests        console.Record
	consoleListener net.Listener // nil if there is no console
	isAnnounced     bool         // true after the ready file was written
}

// readSettings reads the credentials, the users and the buckets of the server from the environment and the manifest.
func (c *command) readSettings() (err error) {
	c.credentials, err = findCredential(c.env.Lookup)
	if err != nil {
		return err
	}
	// The command "minio server" without a credential has a default.
	if c.credentials.generated && c.flags.minio {
		c.credentials.Credential = s3server.Credential{AccessKeyID: minioDefault, SecretKey: minioDefault}
	}

	// MinIO's variables may name buckets. The server prints the names of the variables in use.
	buckets, variables, err := c.flags.setFromMinIO(c.env.Lookup)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(c.credentials.variables, variables) {
		if strings.HasPrefix(name, "MINIO_") {
			c.minioVariables = append(c.minioVariables, name)
		}
	}

	c.flags.takeCertificates()
	c.users, c.buckets, err = readManifest(c.flags.manifest, c.credentials.AccessKeyID)
	if err != nil {
		return err
	}
	c.buckets = append(c.buckets, buckets...)
	return nil
}

// adminVariable is the environment variable with the token of the admin API.
const adminVariable = "S3_ADMIN_TOKEN"

// adminRecord is the number of requests that the server keeps for the admin API.
const adminRecord = 1_000

// setAdminToken takes the token from the environment, or generates one.
func (c *command) setAdminToken() {
	c.adminToken, _ = c.env.Lookup(adminVariable)
	if c.adminToken == "" {
		c.adminToken = rand.Text()
		c.newToken = true
	}
}

// start opens the ports and starts the server. When it returns nil, the server accepts requests.
func (c *command) start(ctx context.Context, service driver.ServiceDriver) error {
	if err := c.openLogs(ctx); err != nil {
		return err
	}
	config, err := c.config(service)
	if err != nil {
		return err
	}

	// The console's port must be open before the server announces its address.
	if err := c.listenForConsole(ctx, config.TLS); err != nil {
		return err
	}

	// s3server.Start calls Middleware once, before it accepts a request, so clients see the buckets from the start.
	var setupErr error
	config.Middleware = func(s3 http.Handler) http.Handler {
		setupErr = c.setUpBuckets(ctx, s3.(*s3server.Handler))
		return withHealth(c.domains(), s3)
	}
	c.server, err = s3server.Start(config)
	if err != nil {
		return err
	}
	return setupErr
}

// openLogs opens the access log and the port of the metrics, if the flags ask for them.
func (c *command) openLogs(ctx context.Context) (err error) {
	if c.flags.accessLog != "" {
		c.accessLog, err = openAccessLog(c.flags.accessLog, c.env.Err)
		if err != nil {
			return err
		}
	}
	if c.flags.metrics != "" {
		c.metrics = newMetrics()
		c.metricsListener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.flags.metrics)
		if err != nil {
			return err
		}
	}
	return nil
}

// setUpBuckets creates the buckets of the manifest and of MinIO's variables.
func (c *command) setUpBuckets(ctx context.Context, h *s3server.Handler) error {
	var failures []error
	for _, b := range c.buckets {
		failures = append(failures, h.SetUpBucket(ctx, b))
	}
	return errors.Join(failures...)
}

// domains returns the hosts whose subdomains are buckets.
func (c *command) domains() []string { return append([]string{"localhost"}, c.flags.domains...) }

// config returns the configuration of the server, for which it reads the certificate.
func (c *command) config(service driver.ServiceDriver) (s3server.Config, error) {
	f := c.flags
	config := s3server.Config{
		Service:      service,
		Credentials:  append([]s3server.Credential{c.credentials.Credential}, c.users...),
		AdminToken:   c.adminToken,
		Addr:         f.Listen,
		Region:       f.region,
		Strict:       f.isStrict,
		Buckets:      f.create,
		MaxBytes:     int64(f.maxBytes),
		WebhookURL:   f.webhook,
		EventARNs:    f.targets,
		LifecycleDay: f.day,
		Log:          c.log(),
	}
	if f.admin {
		config.Record = adminRecord
	}
	if len(f.domains) > 0 {
		config.Domains = c.domains()
	}

	// With an empty TLS configuration, the server makes its own certificate.
	if f.certFile != "" {
		certificate, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
		if err != nil {
			return config, err
		}
		config.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	} else if f.tls {
		config.TLS = &tls.Config{}
	}
	return config, nil
}

// log returns a function that passes a request to the access log, the metrics and the console, or nil if there are none
// of them.
func (c *command) log() func(s3server.Entry) {
	var receivers []func(s3server.Entry)
	if c.accessLog != nil {
		receivers = append(receivers, c.accessLog.add)
	}
	if c.metrics != nil {
		receivers = append(receivers, c.metrics.add)
	}
	if c.consoleAddress() != "" {
		receivers = append(receivers, c.requests.Add)
	}
	if receivers == nil {
		return nil
	}
	return func(e s3server.Entry) {
		for _, add := range receivers {
			add(e)
		}
	}
}

// announce prints the credentials and the other data that a client needs to connect.
func (c *command) announce() error {
	if c.flags.tls {
		if err := c.announceCertificate(); err != nil {
			return err
		}
	}
	if len(c.minioVariables) > 0 {
		c.printLine("# Settings of MinIO in use: " + strings.Join(c.minioVariables, ", "))
	}

	// Some libraries wait until MinIO has printed a certain line: testcontainers-java for this one, spaces included,
	// and others for any line with "API:".
	if c.flags.minio {
		c.printLine("# API: " + c.server.URL + "  Status:         1 Online, 0 Offline. ")
	}

	if c.credentials.generated {
		c.announceCredentials()
	}

	if c.newToken {
		c.printLine("# The admin API is at /_admin/. Its token is valid until this server ends:")
		c.printLine("export " + adminVariable + "=" + c.adminToken)
	}

	if c.consoleListener != nil {
		c.printLine("# The console is at " + c.consoleURL() +
			" with the access key as user name and the secret as password.")
	}

	// The file tells a script that the server accepts requests.
	if c.flags.readyFile != "" {
		if err := writeAtOnce(c.flags.readyFile, c.server.URL+"\n"); err != nil {
			return err
		}
		c.isAnnounced = true
	}
	c.env.Ready(c.server.URL)
	return nil
}

// writeAtOnce writes a file atomically, so that readers see either all of it or none.
func writeAtOnce(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// announceCredentials prints the generated credentials as environment variables for a shell.
func (c *command) announceCredentials() {
	if c.flags.minio {
		c.printLine("# The environment has no credentials. These are those of MinIO, which everybody knows:")
	} else {
		c.printLine("# The environment has no credentials. These are valid until this server ends:")
	}
	for _, variable := range c.server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		if name == "AWS_CA_BUNDLE" && c.flags.caFile != "" {
			value = c.flags.caFile
		}
		c.printLine("export " + name + "=" + quoted(value))
	}
	c.printLine("# The address for omnibucket of a bucket such as photos: " + c.server.Address("photos"))
}

// announceCertificate prints the fingerprint of the certificate, and writes the certificate to the file of --ca-file.
func (c *command) announceCertificate() error {
	der := c.server.Certificate().Raw
	c.printLine(fmt.Sprintf("# SHA-256 fingerprint of the certificate: %X", sha256.Sum256(der)))
	if c.flags.caFile == "" {
		return nil
	}
	return os.WriteFile(c.flags.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func (c *command) printLine(line string) { _, _ = fmt.Fprintln(c.env.Err, line) }

// wait serves the metrics and the console, if there are any, until ctx is done or one of them fails. Then it waits up
// to the time grace for requests to finish.
func (c *command) wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var results []<-chan error
	if c.metrics != nil {
		c.metrics.inFlight = c.server.Busy
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", c.metrics)
		results = append(results, beginServing(ctx, cancel, c.metricsListener, mux))
	}
	if c.consoleListener != nil {
		page := console.Handler(c.server.Handler, &c.requests, c.flags.Hosts()...)
		results = append(results, beginServing(ctx, cancel, c.consoleListener, page))
	}

	<-ctx.Done()

	// Requests in progress get some time to finish, although ctx is done.
	graceCtx, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	// An error means that requests take longer. Shutdown then closes their connections.
	_ = c.server.Shutdown(graceCtx)

	// Each of the other servers reports one result when it has ended.
	var failures []error
	for _, result := range results {
		failures = append(failures, <-result)
	}
	return errors.Join(failures...)
}

// beginServing serves in a goroutine until ctx is done, and then sends the result to the channel. If it fails earlier,
// it calls cancel, which ends the whole program.
func beginServing(ctx context.Context, cancel context.CancelFunc, l net.Listener, h http.Handler) <-chan error {
	result := make(chan error, 1)
	go func() {
		result <- webserver.Serve(ctx, l, h)
		cancel()
	}()
	return result
}

// close removes the ready file, and closes the server, its listeners and the access log. Any of them that is not in use
// is nil.
func (c *command) close() error {
	if c.isAnnounced {
		_ = os.Remove(c.flags.readyFile)
	}
	if c.server != nil {
		c.server.Close()
	}
	if c.metricsListener != nil {
		// An error is ignored, because the listener is already closed if metrics were served.
		_ = c.metricsListener.Close()
	}
	if c.consoleListener != nil {
		_ = c.consoleListener.Close()
	}
	if c.accessLog == nil {
		return nil
	}
	return c.accessLog.close()
}

// quoted quotes text for a shell, if necessary.
func quoted(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:[]"
	if strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
