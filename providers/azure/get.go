package azure

import (
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// Get makes one Get Blob request. It requests the size before that for a suffix, which Azure does
// not support.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if r.Suffix > 0 {
		return d.getSuffix(ctx, r)
	}
	client, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return nil, nil, err
	}
	opts, err := downloadOptions(r)
	if err != nil {
		return nil, nil, err
	}

	var response *http.Response
	resp, err := client.DownloadStream(policy.WithCaptureResponse(d.account.singleAttempt(ctx), &response), opts)
	if err != nil {
		return nil, nil, d.container.readError(ctx, err, r)
	}
	// Another server, such as a proxy, may have sent the response.
	if err := checkResponse(response); err != nil {
		// An error of Close does not matter beside err.
		_ = response.Body.Close()
		return nil, nil, d.container.readError(ctx, err, r)
	}
	if resp.Body == nil {
		// This is a 304, which is a success for the SDK.
		return nil, nil, &storage.Error{
			Code:      storage.NotModified,
			Status:    http.StatusNotModified,
			RequestID: deref(resp.RequestID),
		}
	}

	attrs, err := attrsOfGet(&resp.DownloadResponse, response.Header, r)
	if err != nil {
		// An error of Close does not matter beside err.
		_ = resp.Body.Close()
		return nil, nil, err
	}
	if r.NativeAttrs {
		// This copy omits the SDK's private field with the customer's key.
		native := blob.DownloadStreamResponse{
			DownloadResponse:       resp.DownloadResponse,
			ObjectReplicationRules: resp.ObjectReplicationRules,
		}
		native.Body = nil
		attrs.Native = native
	}
	return attrs, resp.Body, nil
}

// downloadOptions returns the options of the Get Blob request for r.
func downloadOptions(r *driver.GetRequest) (*blob.DownloadStreamOptions, error) {
	n := newNativeOptions(r.Native)
	opts := &blob.DownloadStreamOptions{
		// Count 0 means to the end. The engine requests no empty range.
		Range:            blob.HTTPRange{Offset: r.Offset, Count: max(r.Length, 0)},
		AccessConditions: conditions(r.Condition),
		CPKInfo:          n.keyInfo(), // the customer's key
	}

	// The functions of WithOptions may change the request.
	if r.Auxiliary {
		// The read is only a step of another operation, whose main request may have its own function.
		n.apply(opts)
		return opts, nil
	}
	if err := n.applyOrFail(opts, "DownloadStream"); err != nil {
		return nil, err
	}
	return opts, nil
}

// getSuffix reads the last bytes of the current revision. The error is retryable if the object is
// overwritten between the two requests.
func (d *objectDriver) getSuffix(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	// The HEAD is only a part of this read.
	headReq := *r
	headReq.Auxiliary = true
	attrs, err := d.Head(ctx, &headReq)
	if err != nil {
		return nil, nil, err
	}
	if attrs.Size == 0 {
		return attrs, http.NoBody, nil
	}

	// With the condition, the range is the end of the revision whose size is known.
	rangeReq := *r
	rangeReq.Suffix = 0
	rangeReq.Length = -1
	rangeReq.Offset = max(attrs.Size-r.Suffix, 0)
	rangeReq.Condition = storage.Condition{Revision: attrs.Revision}
	attrs, body, err := d.Get(ctx, &rangeReq)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// The object was overwritten after the HEAD. A retry reads the new object.
		storageErr := asError(err)
		storageErr.Code = storage.Unavailable
		storageErr.Retryable = true
		return nil, nil, storageErr
	}
	return attrs, body, err
}

// attrsOfGet returns the attributes in the response to a read. It reads from the header whether the
// access tier is the account's default, because the SDK omits that.
func attrsOfGet(resp *blob.DownloadResponse, header http.Header, r *driver.GetRequest) (*storage.Attrs, error) {
	size, err := objectSize(resp, r)
	if err != nil {
		return nil, err
	}
	props := propertiesOf(resp, header.Get("X-Ms-Access-Tier-Inferred") == "true")
	props.ContentLength = &size
	if resp.ContentRange != nil {
		// The response is for a range, so its Content-MD5 is that of the range.
		props.ContentMD5 = resp.BlobContentMD5
	}
	return attrsOf(props, r.Key), nil
}

// objectSize returns the size of the whole object from the response to a read. It fails if the
// response has no size or is not for the range in r.
func objectSize(resp *blob.DownloadResponse, r *driver.GetRequest) (int64, error) {
	if resp.ContentRange != nil {
		return httpheader.SizeOf(r, *resp.ContentRange)
	}
	if resp.ContentLength == nil {
		return 0, httpheader.LengthMissing()
	}
	if !httpheader.IsWhole(r, *resp.ContentLength) {
		return 0, httpheader.RangeIgnored()
	}
	return *resp.ContentLength, nil
}

// Head returns the attributes of a blob, with one Get Blob Properties request.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	client, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return nil, err
	}

	// WithOptions would have no effect without a function for this request. That is an error, unless the
	// request is part of another operation.
	options := newNativeOptions(r.Native).options
	if len(options) > 0 && !r.Auxiliary {
		hasFunction := slices.ContainsFunc(options, func(o Options) bool { return o.GetProperties != nil })
		if !hasFunction {
			return nil, errNoFunction("GetProperties")
		}
	}

	resp, err := send(ctx, d.account, client.GetProperties, propertiesOptions(r.Condition, r.Native))
	if err != nil {
		return nil, d.container.readError(ctx, err, r)
	}
	attrs, err := attrsOfHead(&resp, r.Key)
	if err != nil {
		return nil, err
	}
	if r.NativeAttrs {
		attrs.Native = resp
	}
	return attrs, nil
}

// propertiesOptions returns the options of Get Blob Properties. values are the native options of
// the call.
func propertiesOptions(c storage.Condition, values []any) *blob.GetPropertiesOptions {
	n := newNativeOptions(values)
	o := &blob.GetPropertiesOptions{AccessConditions: conditions(c), CPKInfo: n.keyInfo()}
	n.apply(o)
	return o
}
