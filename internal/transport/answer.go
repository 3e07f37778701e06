package transport

import (
	"context"
	"time"
)

type answerKey struct{}

// WithAnswer sets Options.Answer for the requests made under the context. It is for
// requests that a server answers only after minutes of work, such as a copy, and that would
// have to start over if they were abandoned.
func WithAnswer(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, answerKey{}, d)
}

// AnswerOf returns how long an answer may take under ctx, or 0 if WithAnswer has not set it.
func AnswerOf(ctx context.Context) time.Duration {
	d, _ := ctx.Value(answerKey{}).(time.Duration)
	return d
}
