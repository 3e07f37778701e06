package azure

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// canBatch: each removal in a batch is authorised by itself, which takes more
// than a shared access signature of the container. A given client knows how.
func (a *account) canBatch() bool {
	return a.sharedKey != nil || a.token != nil || a.given != nil
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
	var answer *http.Response
	var out container.SubmitBatchResponse
	err = writes(policy.WithCaptureResponse(d.once(ctx), &answer), func(ctx context.Context) (err error) {
		out, err = d.container.SubmitBatch(ctx, batch, nil)
		return err
	})
	if err != nil {
		e := asError(err)
		if answer != nil && answer.StatusCode == http.StatusAccepted { // and what it said cannot be read
			e.Code, e.Retryable, e.Unknown = storage.Unavailable, true, true
		}
		for _, slot := range slots {
			errs[slot] = e
		}
		return errs
	}
	d.judge(ctx, out.Responses, slots, r, errs)
	return errs
}

// judge puts each request's verdict where it belongs.
func (d *driver) judge(ctx context.Context, answers []*container.BatchResponseItem, slots []int, r []storage.DeleteRequest, errs []error) {
	told := make([]bool, len(slots))
	for _, answer := range answers {
		if answer.ContentID == nil || *answer.ContentID < 0 || *answer.ContentID >= len(slots) {
			continue
		}
		told[*answer.ContentID] = true
		if answer.Error != nil {
			slot := slots[*answer.ContentID]
			errs[slot] = d.deleteFailed(ctx, translate(answer.Error), &r[slot])
		}
	}
	for i, slot := range slots {
		if !told[i] {
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
