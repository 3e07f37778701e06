// Package sdkcall sends requests with the AWS SDK, and changes what the SDK does with them. Start at [Write],
// which sends a request that changes something. The functions that begin with With are options of requests
// and of clients.
package sdkcall

import (
	"context"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A Func is a method of the SDK's client that sends one request.
type Func[In, Out any] func(context.Context, *In, ...func(*awss3.Options)) (*Out, error)

// Write sends one request that changes something, and fails if isComplete returns false for the
// response. isComplete checks the fields that every S3 server returns after a success.
func Write[In, Out any](
	ctx context.Context, send Func[In, Out], input *In, isComplete func(*Out) bool, options ...func(*awss3.Options),
) (*Out, error) {
	var out *Out
	err := s3error.Write(ctx, func(ctx context.Context) error {
		var err error
		out, err = send(ctx, input, options...)
		if err != nil {
			return err
		}
		// Without these fields, the response may not be that of an S3 server.
		if !isComplete(out) {
			return evidence.Missing()
		}
		return nil
	})
	return out, err
}

// Exec is like Write, for a request whose response has no fields.
func Exec[In, Out any](
	ctx context.Context, send Func[In, Out], input *In, options ...func(*awss3.Options),
) error {
	_, err := Write(ctx, send, input, func(*Out) bool { return true }, options...)
	return err
}
