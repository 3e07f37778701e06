package azure

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// canBatch: each removal in a batch is authorised by itself, which takes more
// than a shared access signature of the container. A given client knows how.
func (a *account) canBatch() bool {
	return a.sharedKey != nil || a.token != nil || a.sdkClient != nil
}

// DeleteBatch is one Blob Batch of the container's, each of whose requests is
// authorised by itself. What the service cannot name in a batch has its own
// verdict; a batch as a whole that is refused as such is Unsupported.
func (d *driver) DeleteBatch(ctx context.Context, r []storage.DeleteRequest) []error {
	errs := make([]error, len(r))
	if !d.canBatch() {
		return fill(errs, storage.Unsupported)
	}
	batch, err := d.container.NewBatchBuilder()
	if err != nil {
		return fill(errs, storage.Unsupported)
	}
	var slots []int // of the requests in the batch
	for i := range r {
		if errs[i] = checkName(r[i].Key, r[i].Version); errs[i] != nil {
			continue
		}
		o := &container.BatchDeleteOptions{DeleteOptions: *deleteOptions(&r[i]), VersionID: httpheader.Optional(r[i].Version)}
		if err := batch.Delete(r[i].Key, o); err != nil {
			errs[i] = reads(err)
			continue
		}
		slots = append(slots, i)
	}
	if len(slots) == 0 {
		return errs
	}
	responses, err := d.submit(ctx, batch)
	if err != nil {
		for _, slot := range slots {
			errs[slot] = err
		}
		return errs
	}
	d.assignResponses(ctx, responses, slots, r, errs)
	return errs
}

// submit sends a batch. Of an answer that cannot be read nothing is known. The
// SDK panics at one that names a request that was not made.
func (d *driver) submit(ctx context.Context, batch *container.BatchBuilder) ([]*container.BatchResponseItem, error) {
	var response *http.Response
	var out container.SubmitBatchResponse
	err := writes(policy.WithCaptureResponse(d.singleAttempt(ctx), &response), func(ctx context.Context) (err error) {
		defer func() {
			if isAccepted(response) {
				if recover() != nil {
					_ = response.Body.Close()
					err = errUnreadable
				}
			}
		}()
		out, err = d.container.SubmitBatch(ctx, batch, nil)
		return err
	})
	if err == nil {
		return out.Responses, nil
	}
	e := asError(err)
	if isAccepted(response) {
		if whole := batchError(err, response); whole != nil {
			return nil, whole
		}
		if e.Code == storage.Internal { // the SDK's words hold what was answered
			e = &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errUnreadable}
		}
		e.Unknown = true
	}
	return nil, e
}

func isAccepted(response *http.Response) bool {
	return response != nil && response.StatusCode == http.StatusAccepted
}

var errUnreadable = errors.New("the batch's answer cannot be read")

// refusedWhole is the one answer to all of a batch that the service accepted and
// then refused; nil: there is none. The SDK has it in the text of its error.
func batchError(err error, response *http.Response) *storage.Error {
	text := err.Error()
	at := strings.Index(text, "HTTP/1.1 ")
	if at < 0 {
		return nil
	}
	one, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text[at:])), response.Request)
	if err != nil || one.StatusCode < http.StatusBadRequest {
		return nil
	}
	return translate(runtime.NewResponseError(one))
}

// judge puts each request's verdict where it belongs.
func (d *driver) assignResponses(ctx context.Context, responses []*container.BatchResponseItem, slots []int, r []storage.DeleteRequest, errs []error) {
	received := make([]bool, len(slots))
	for _, response := range responses {
		if response.ContentID == nil || *response.ContentID < 0 || *response.ContentID >= len(slots) {
			continue
		}
		received[*response.ContentID] = true
		if response.Error != nil {
			slot := slots[*response.ContentID]
			errs[slot] = d.deleteError(ctx, translate(response.Error), &r[slot])
		}
	}
	for i, slot := range slots {
		if !received[i] {
			errs[slot] = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("the batch's answer says nothing of this object")}
		}
	}
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}
