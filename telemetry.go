package storage

import (
	"github.com/omnibucket/storage/internal/unexported"
)

// WithAttemptSpans adds a span for each call of the [Driver]: each attempt of a request, each
// part of an upload, each range of a download, each page of a listing. They are children of the
// operation's span. The span of a Get ends when the body begins. By default there is one span
// for each operation.
func WithAttemptSpans() OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.AttemptSpans = true })
}
