package transport

import (
	"context"
	"time"
)

type answerKey struct{}

// WithAnswer returns a context for requests such as a copy, which a server may need minutes to
// answer. These requests may wait for the response for the duration d, if d is longer than
// [Options.Answer]. After a timeout, such a request would have to start over.
func WithAnswer(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, answerKey{}, d)
}

// AnswerOf returns the time that WithAnswer has set in ctx, or 0 if there is none.
func AnswerOf(ctx context.Context) time.Duration {
	d, _ := ctx.Value(answerKey{}).(time.Duration)
	return d
}
