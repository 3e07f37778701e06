// Package listxml reads the pages of S3's listings: the XML that ListObjectsV2 and
// ListObjectVersions return. The SDK's decoder makes 55 allocations for each key.
package listxml

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
	// deserializerID names the SDK's middleware that decodes a response.
	deserializerID = "OperationDeserializer"

	// MaxBytes limits the memory for one response. A page of 1,000 keys of 1,024
	// bytes, with each byte escaped, has 4 MiB.
	MaxBytes = 16 << 20
	// MaxEntries limits the memory for the entries of one response. Requests ask for
	// 1,000 at most.
	MaxEntries = 1 << 16
	// maxKeptBuffer is the size up to which a buffer is kept for the next page.
	maxKeptBuffer = 2 << 20
)

var errTooLong = &storage.Error{
	Code: storage.Internal,
	Err:  errors.New("the page of the listing is larger than any page of S3"),
}

// buffers holds *bytes.Buffer. A response is read completely before it is decoded.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// DecodeWith returns an option for one call of the SDK. It passes the body of a successful response
// to decode, and makes result the result of the call. decode must not keep the slice, because its
// memory is used again. The SDK still decodes all other responses.
func DecodeWith(result any, decode func(page []byte) error) func(*awss3.Options) {
	d := &deserializer{result: result, decode: decode}
	return func(o *awss3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) (err error) {
			// d.sdk is the step of the SDK that d replaces.
			d.sdk, err = stack.Deserialize.Swap(deserializerID, d)
			return err
		})
	}
}

// deserializer replaces the SDK's deserializer in one call. It decodes only successful responses,
// and leaves errors to the SDK. Some errors arrive with status 200. A middleware of the SDK changes
// this status to 500 before deserializer sees the response.
type deserializer struct {
	result any
	decode func(page []byte) error
	sdk    middleware.DeserializeMiddleware
}

// ID returns the name of the middleware that d replaces.
func (d *deserializer) ID() string { return deserializerID }

// HandleDeserialize decodes a response, or fails with a DeserializationError, as the SDK does.
func (d *deserializer) HandleDeserialize(
	ctx context.Context, input middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	output, metadata, err := next.HandleDeserialize(ctx, input)
	response, ok := output.RawResponse.(*smithyhttp.Response)
	isSuccess := err == nil && ok && response.StatusCode >= 200 && response.StatusCode < 300
	if !isSuccess {
		// The SDK's deserializer gets the response that was received, as if from the next handler.
		received := func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return output, metadata, err
		}
		return d.sdk.HandleDeserialize(ctx, input, middleware.DeserializeHandlerFunc(received))
	}
	if err := d.read(response); err != nil {
		return output, metadata, &smithy.DeserializationError{Err: err}
	}
	output.Result = d.result
	return output, metadata, nil
}

// read reads and decodes the body of a response, in a buffer from a pool.
func (d *deserializer) read(response *smithyhttp.Response) error {
	defer response.Body.Close()
	buffer := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= maxKeptBuffer {
			buffers.Put(buffer)
		}
	}()

	// Read the whole body, but at most MaxBytes. The server's length may be wrong, so allocate no
	// more for it in advance than a buffer may keep.
	buffer.Reset()
	if n := response.ContentLength; n > 0 {
		buffer.Grow(int(min(n, maxKeptBuffer/2)) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(response.Body, MaxBytes+1)); err != nil {
		return err
	}
	if buffer.Len() > MaxBytes {
		return errTooLong
	}
	return d.decode(buffer.Bytes())
}
