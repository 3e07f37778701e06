package transport

import (
	"context"
	"time"
)

type answerKey struct{}

// WithAnswer is Options.Answer of the requests made under the context: for those
// that a server answers after minutes of work of its own, such as a copy, and that
// would have to begin anew if they were given up.
func WithAnswer(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, answerKey{}, d)
}

// AnswerOf is how long an answer may take under ctx.
func AnswerOf(ctx context.Context, standard time.Duration) time.Duration {
	d, _ := ctx.Value(answerKey{}).(time.Duration)
	return orDefault(d, standard)
}
