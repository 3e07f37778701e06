package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
)

const (
	// stepOutput is the SDK's step that reads an answer.
	stepOutput = "OperationDeserializer"

	// maxPageBytes bounds the memory of an answer. A page of 1,000 keys of 1,024
	// bytes is of 4 MiB, each byte of them escaped.
	maxPageBytes = 16 << 20
	// A larger buffer is not kept for the next page.
	maxPageBuffer = 2 << 20
)

var errPageTooLong = &storage.Error{Code: storage.Internal, Err: errors.New("the page of the listing is larger than any of S3's")}

// pageBuffers are *bytes.Buffer: an answer is read whole before it is decoded.
var pageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// A pageStep reads the pages of a listing in the SDK's place, whose decoder
// makes 55 allocations a key. Whatever is no page is the SDK's to read: errors,
// also those with status 200, which a step before this one makes 500 of.
type pageStep struct {
	result any                     // what the SDK's caller is answered with
	decode func(page []byte) error // must keep nothing of page
	sdk    middleware.DeserializeMiddleware
}

// swap puts the step into one call.
func (p *pageStep) swap(o *awss3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) (err error) {
		p.sdk, err = stack.Deserialize.Swap(stepOutput, p)
		return err
	})
}

// ID is that of the step which this one stands for.
func (p *pageStep) ID() string { return stepOutput }

// HandleDeserialize reads an answer. A page that cannot be read is a
// DeserializationError, as the SDK has it.
func (p *pageStep) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	response, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || response.StatusCode < 200 || response.StatusCode >= 300 {
		answered := func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, metadata, err
		}
		return p.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(answered))
	}
	if err := p.read(response); err != nil {
		return out, metadata, &smithy.DeserializationError{Err: err}
	}
	out.Result = p.result
	return out, metadata, nil
}

func (p *pageStep) read(response *smithyhttp.Response) error {
	defer func() { _ = response.Body.Close() }()
	buffer := pageBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= maxPageBuffer {
			pageBuffers.Put(buffer)
		}
	}()
	buffer.Reset()
	if n := response.ContentLength; n > 0 {
		buffer.Grow(int(min(n, maxPageBuffer/2)) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(response.Body, maxPageBytes+1)); err != nil {
		return err
	}
	if buffer.Len() > maxPageBytes {
		return errPageTooLong
	}
	return p.decode(buffer.Bytes())
}
