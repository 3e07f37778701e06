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

// Get makes one Get Blob request. For a suffix, which Azure does not support, it
// first requests the size.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if r.Suffix > 0 {
		return d.getSuffix(ctx, r)
	}
	b, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return nil, nil, err
	}

	var response *http.Response
	n := newNatives(r.Native)
	o := &blob.DownloadStreamOptions{
		Range: blob.HTTPRange{
			Offset: r.Offset,
			Count:  max(r.Length, 0),
		}, // Count 0 means to the end; the engine requests no empty range
		AccessConditions: conditions(r.Condition),
		CPKInfo:          n.keyInfo(),
	}
	streams := func(f Options) func(*blob.DownloadStreamOptions) { return f.DownloadStream }
	if err := mustApply(n, o, "DownloadStream", streams); err != nil && !r.Auxiliary {
		return nil, nil, err
	}

	resp, err := b.DownloadStream(policy.WithCaptureResponse(d.account.singleAttempt(ctx), &response), o)
	if err == nil {
		if err = checkAnswer(response); err != nil {
			_ = response.Body.Close()
		}
	}
	if err != nil {
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
		_ = resp.Body.Close()
		return nil, nil, err
	}
	body := resp.Body
	if r.NativeAttrs {
		// This copy omits the SDK's private field with the customer's key.
		native := blob.DownloadStreamResponse{
			DownloadResponse:       resp.DownloadResponse,
			ObjectReplicationRules: resp.ObjectReplicationRules,
		}
		native.Body = nil
		attrs.Native = native
	}
	return attrs, body, nil
}

// getSuffix reads the last bytes of the current revision. If the object is
// overwritten between the two requests, the error is retryable.
func (d *objectDriver) getSuffix(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	req := *r
	req.Auxiliary = true
	attrs, err := d.Head(ctx, &req)
	if err != nil {
		return nil, nil, err
	}
	if attrs.Size == 0 {
		return attrs, http.NoBody, nil
	}
	rangeReq := *r
	rangeReq.Suffix = 0
	rangeReq.Length = -1
	rangeReq.Offset = max(attrs.Size-r.Suffix, 0)
	rangeReq.Condition = storage.Condition{Revision: attrs.Revision}
	attrs, body, err := d.Get(ctx, &rangeReq)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		e := asError(err)
		e.Code = storage.Unavailable
		e.Retryable = true
		return nil, nil, e
	}
	return attrs, body, err
}

// attrsOfGet returns the attributes in the response to a read. It reads from the header whether the
// tier is the account's default, because the SDK omits that.
func attrsOfGet(resp *blob.DownloadResponse, header http.Header, r *driver.GetRequest) (*storage.Attrs, error) {
	size := deref(resp.ContentLength)
	switch {
	case resp.ContentLength == nil && resp.ContentRange == nil:
		return nil, httpheader.LengthMissing()
	case resp.ContentRange != nil:
		var err error
		if size, err = httpheader.SizeOf(r, *resp.ContentRange); err != nil {
			return nil, err
		}
	case !httpheader.IsWhole(r, size):
		return nil, httpheader.RangeIgnored()
	}
	p := propertiesOf(resp, header.Get("X-Ms-Access-Tier-Inferred") == "true")
	p.ContentLength = &size
	if resp.ContentRange != nil {
		p.ContentMD5 = resp.BlobContentMD5
	}
	return attrsOf(p, r.Key), nil
}

// Head makes one Get Blob Properties request.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	b, err := d.container.version(r.Key, r.Version)
	if err != nil {
		return nil, err
	}
	if n := newNatives(r.Native); !r.Auxiliary && len(n.options) > 0 &&
		!slices.ContainsFunc(n.options, func(f Options) bool { return f.GetProperties != nil }) {
		return nil, lacksFunction("GetProperties")
	}
	resp, err := send(ctx, d.account, b.GetProperties, propertiesOptions(r.Condition, r.Native))
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

func propertiesOptions(c storage.Condition, values []any) *blob.GetPropertiesOptions {
	n := newNatives(values)
	o := &blob.GetPropertiesOptions{AccessConditions: conditions(c), CPKInfo: n.keyInfo()}
	apply(n, o, func(f Options) func(*blob.GetPropertiesOptions) { return f.GetProperties })
	return o
}
