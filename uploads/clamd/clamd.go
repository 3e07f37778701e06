package clamd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/uploads"
)

// A Policy says whether a file is accepted while clamd is down.
type Policy int

// These are the policies. There is no default: [Config.IfDown] must be one of them.
const (
	// Refuse lets [Scanner.Inspect] fail with [storage.Unavailable], so that the client tries again later.
	Refuse Policy = iota + 1
	// Accept accepts the file without a scan, and calls [Config.OnAccept]. Anyone who can stop or
	// overload clamd can then upload a virus. A file that makes clamd crash is enough.
	Accept
)

// The defaults.
const (
	DefaultMaxSize = 25 << 20 // bytes; the default of StreamMaxLength and MaxFileSize in Debian's clamd
	DefaultTimeout = 150 * time.Second
)

const inspect = "clamd.Inspect" // the value of Op in errors of Inspect

// Config says how to reach clamd, and which files are accepted without a scan. Address and IfDown
// must be set.
type Config struct {
	// Address is the URL of clamd's socket, such as "unix:///run/clamav/clamd.ctl" or
	// "tcp://127.0.0.1:3310". Over TCP, clamd has neither encryption nor a password. Anyone who
	// reaches the port can stop clamd, and anyone on the network path can read the files.
	Address string

	// IfDown says whether a file is accepted while clamd is down. clamd is down if it accepts no
	// connection, or if a scan breaks off and clamd then does not answer PING.
	//
	// In two cases clamd is not down, but cannot scan the file. If clamd answers PING after a scan
	// broke off, the file itself may have broken the scan. If the queue of its socket is full,
	// clamd is only busy. In these two cases, [Scanner.Inspect] fails with [storage.Unavailable],
	// whatever IfDown is.
	IfDown Policy

	// OnAccept is called with the error of clamd for each file that is accepted without a scan. It
	// can note f.Key for a later scan. OnAccept must be set if IfDown is Accept, and must be nil if
	// IfDown is Refuse.
	OnAccept func(ctx context.Context, f *uploads.File, err error)

	// OnFound is called for each file that clamd refuses, with the name of the virus signature,
	// such as "Win.Test.EICAR_HDB-1". The client does not receive the name. OnFound may be nil.
	OnFound func(ctx context.Context, f *uploads.File, signature string)

	// MaxSize is the size of the largest file that is sent to clamd, in bytes. Larger files are
	// refused. MaxSize must be below 2 GiB, because clamd scans no larger files. It must not exceed
	// clamd's StreamMaxLength and MaxFileSize: clamd reports files above MaxFileSize as clean
	// without a scan. If MaxSize is 0, DefaultMaxSize is used.
	MaxSize int64

	// Timeout limits how long clamd may take to receive each 64 KiB, and then to scan the file and
	// reply. It should exceed clamd's MaxScanTime, which is 2 minutes by default. If Timeout is 0,
	// DefaultTimeout is used. The limits for connecting and for PING are always 10 seconds.
	Timeout time.Duration
}

// A Scanner scans files with one clamd. It keeps no connection open between calls. Its methods may
// be called concurrently.
type Scanner struct {
	config  Config
	address address
	prompt  time.Duration // limits connecting, and commands that clamd answers immediately, such as PING
}

// New returns a Scanner. It does not connect to clamd: call [Scanner.Ping] to check the connection.
// If a field of config is invalid or missing, New fails with [storage.InvalidArgument].
func New(config Config) (*Scanner, error) {
	config.MaxSize = cmp.Or(config.MaxSize, DefaultMaxSize)
	config.Timeout = cmp.Or(config.Timeout, DefaultTimeout)
	addr, err := parseAddress(config.Address)
	if err != nil {
		return nil, err
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &Scanner{config: config, address: addr, prompt: 10 * time.Second}, nil
}

// validate fails with InvalidArgument if a field is invalid. It does not check Address.
func (c *Config) validate() error {
	if c.IfDown != Refuse && c.IfDown != Accept {
		return invalidConfig("Config.IfDown", "must be Refuse or Accept")
	}
	if c.IfDown == Accept && c.OnAccept == nil {
		return invalidConfig("Config.OnAccept", "must not be nil if IfDown is Accept")
	}
	if c.IfDown == Refuse && c.OnAccept != nil {
		return invalidConfig("Config.OnAccept", "must be nil if IfDown is Refuse")
	}
	if c.MaxSize < 0 || c.MaxSize >= 2<<30 {
		return invalidConfig("Config.MaxSize", "must be at least 0 and below 2 GiB")
	}
	if c.Timeout < 0 {
		return invalidConfig("Config.Timeout", "must not be negative")
	}
	return nil
}

// invalidConfig returns the error for a field of a Config that breaks a rule.
func invalidConfig(field, rule string) error {
	return argument.InvalidFor("clamd.New", field, rule, "")
}

// Inspect scans a file. Set it as [uploads.Config.Inspect]. It returns nil if clamd reports the
// whole content as clean, or if clamd is down and [Config.IfDown] is Accept. The package
// documentation lists its errors. Inspect reads the content once from beginning to end, and sends
// it in chunks of 64 KiB. If ctx ends, it closes the connection.
func (s *Scanner) Inspect(ctx context.Context, f *uploads.File, content *storage.ReaderAt) error {
	if content.Size() > s.config.MaxSize {
		return s.tooLarge(fmt.Errorf("the file has %d bytes, more than Config.MaxSize", content.Size()))
	}
	c, err := s.connect(ctx, s.config.Timeout)
	if err != nil {
		return s.downError(ctx, f, err)
	}

	reply, err := c.scan(content)
	if err != nil {
		return s.scanError(ctx, f, err)
	}
	return s.replyError(ctx, f, reply)
}

// scanError returns the result of Inspect for a scan that failed with err.
func (s *Scanner) scanError(ctx context.Context, f *uploads.File, err error) error {
	if contentErr, ok := err.(contentError); ok {
		return contentErr.error
	}
	cmdErr := commandError(ctx, inspect, err)
	isContextEnded := storage.CodeOf(cmdErr) != storage.Unavailable
	if isContextEnded {
		return cmdErr
	}

	// Find out whether clamd is down, or only this scan failed.
	pingErr := s.Ping(ctx)
	if pingErr == nil || isBusy(pingErr) {
		return unavailable(inspect, fmt.Errorf("clamd is up and did not finish this scan: %w", err))
	}
	return s.downError(ctx, f, err)
}

// Ping returns nil if clamd answers. Otherwise it fails with [storage.Unavailable], or, if ctx ended, with
// [storage.Canceled] or [storage.DeadlineExceeded].
func (s *Scanner) Ping(ctx context.Context) error {
	_, err := s.command(ctx, "clamd.Ping", "PING", func(reply string) bool { return reply == "PONG" })
	return err
}

// Version returns the version of clamd, the version of its virus signatures, and their date. An
// example is "ClamAV 1.4.6/27700/Wed Jul 16 08:39:51 2025". It fails as [Scanner.Ping] does.
func (s *Scanner) Version(ctx context.Context) (string, error) {
	return s.command(ctx, "clamd.Version", "VERSION", isVersion)
}

// command sends the named command, which has no arguments, over a connection of its own. It returns the reply if
// isValid accepts it.
func (s *Scanner) command(ctx context.Context, op, name string, isValid func(reply string) bool) (string, error) {
	c, err := s.connect(ctx, s.prompt)
	if err != nil {
		return "", commandError(ctx, op, err)
	}
	reply, err := c.command(name)
	if err != nil {
		return "", commandError(ctx, op, err)
	}
	if !isValid(reply) {
		return "", unavailable(op, unexpected(reply))
	}
	return reply, nil
}

// replyError returns the error for clamd's reply to a whole file, or nil if the file is clean.
func (s *Scanner) replyError(ctx context.Context, f *uploads.File, reply string) error {
	if reply == clean {
		return nil
	}
	if reply == exceeded {
		return s.tooLarge(errors.New("clamd: the file exceeds its StreamMaxLength, and not Config.MaxSize"))
	}

	// Any other reply must name the signature that clamd has found.
	signature := signatureIn(reply)
	if signature == "" {
		return unavailable(inspect, unexpected(reply))
	}
	if s.config.OnFound != nil {
		s.config.OnFound(ctx, f, signature)
	}

	// Refuse the file.
	message := "A virus was found in this file."
	if isUnscanned(signature) {
		message = "This file cannot be scanned for viruses: it is encrypted, too large, or has too much in it."
	}
	return &uploads.Error{
		Field:   "file",
		Code:    uploads.Refused,
		Message: message,
		Err: &storage.Error{
			Code: storage.InvalidArgument,
			Op:   inspect,
			Key:  f.Key,
			Err:  fmt.Errorf("clamd found %s", signature),
		},
	}
}

// downError returns the result of Inspect for a command that failed with err. The result is nil if clamd
// is down and the policy is Accept.
func (s *Scanner) downError(ctx context.Context, f *uploads.File, err error) error {
	err = commandError(ctx, inspect, err)
	isDown := storage.CodeOf(err) == storage.Unavailable && !isBusy(err)
	if !isDown || s.config.IfDown != Accept {
		return err
	}
	s.config.OnAccept(ctx, f, err)
	return nil
}

// tooLarge returns the error for a file that clamd would not scan because of its size.
func (*Scanner) tooLarge(cause error) error {
	return &uploads.Error{
		Field:   "file",
		Code:    uploads.TooLarge,
		Message: "The file is too large to be scanned for viruses.",
		Err:     &storage.Error{Code: storage.TooLarge, Op: inspect, Err: cause},
	}
}

// commandError returns the error for a command that failed with err. Once ctx has ended, that is the
// error of ctx.
func commandError(ctx context.Context, op string, err error) error {
	ctxErr := ctx.Err()
	deadline, hasDeadline := ctx.Deadline()
	if ctxErr == nil && hasDeadline && !time.Now().Before(deadline) {
		// The connection has the same deadline, and may time out a moment before ctx ends.
		ctxErr = context.DeadlineExceeded
	}
	if ctxErr != nil {
		return &storage.Error{Code: argument.ContextCode(ctxErr), Op: op, Err: ctxErr}
	}
	return unavailable(op, err)
}

// unavailable returns the error for a failure of clamd.
func unavailable(op string, err error) error {
	return &storage.Error{Code: storage.Unavailable, Op: op, Retryable: true, Err: err}
}
