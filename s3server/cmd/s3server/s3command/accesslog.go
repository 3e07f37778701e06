package s3command

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/omnibucket/storage/s3server"
)

// An accessLog writes a line of key=value pairs for each request. A line never contains headers, a query or a
// signature.
type accessLog struct {
	lines slog.Handler
	file  *os.File // nil for standard error
}

// openAccessLog opens the access log, which is appended to the named file, or written to errs if name is "-".
func openAccessLog(name string, errs io.Writer) (*accessLog, error) {
	if name == "-" {
		return &accessLog{lines: newLineHandler(errs)}, nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &accessLog{lines: newLineHandler(file), file: file}, nil
}

// newLineHandler returns a handler that writes each record to dst as a line of key=value pairs. A line has no level and
// no message.
func newLineHandler(dst io.Writer) slog.Handler {
	return slog.NewTextHandler(dst, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.LevelKey || a.Key == slog.MessageKey {
				return slog.Attr{}
			}
			return a
		},
	})
}

// add writes one line for a request. It ignores an error, because the request has already ended.
func (l *accessLog) add(e s3server.Entry) {
	line := slog.NewRecord(e.Time, slog.LevelInfo, "", 0)
	line.AddAttrs(
		slog.String("remote", e.RemoteAddr),
		slog.String("access_key", e.AccessKeyID),
		slog.String("method", e.Method),
		slog.String("operation", e.Operation),
		slog.String("bucket", e.Bucket),
		slog.String("object", e.Key),
		slog.Int("status", e.Status),
		slog.String("error", e.Error),
		slog.Int64("received", e.Received),
		slog.Int64("sent", e.Sent),
		slog.Float64("seconds", e.Duration.Seconds()),
		slog.String("request_id", e.RequestID),
		slog.String("agent", e.UserAgent),
	)
	_ = l.lines.Handle(context.Background(), line)
}

func (l *accessLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
