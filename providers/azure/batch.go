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
	answers, err := d.submit(ctx, batch)
	if err != nil {
		for _, slot := range slots {
			errs[slot] = err
		}
		return errs
	}
	d.judge(ctx, answers, slots, r, errs)
	return errs
}

// submit sends a batch. Of an answer that cannot be read nothing is known. The
// SDK panics at one that names a request that was not made.
func (d *driver) submit(ctx context.Context, batch *container.BatchBuilder) ([]*container.BatchResponseItem, error) {
	var answer *http.Response
	var out container.SubmitBatchResponse
	err := writes(policy.WithCaptureResponse(d.once(ctx), &answer), func(ctx context.Context) (err error) {
		defer func() {
			if isAccepted(answer) {
				if said := recover(); said != nil {
					_ = answer.Body.Close()
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
	if isAccepted(answer) {
		if whole := refusedWhole(err, answer); whole != nil {
			return nil, whole
		}
		if e.Code == storage.Internal { // the SDK's words hold what was answered
			e = &storage.Error{Code: storage.Unavailable, Retryable: true, Err: errUnreadable}
		}
		e.Unknown = true
	}
	return nil, e
}

func isAccepted(answer *http.Response) bool {
	return answer != nil && answer.StatusCode == http.StatusAccepted
}

var errUnreadable = errors.New("the batch's answer cannot be read")

// refusedWhole is the one answer to all of a batch that the service accepted and
// then refused; nil: there is none. The SDK has it in the text of its error.
func refusedWhole(err error, answer *http.Response) *storage.Error {
	text := err.Error()
	at := strings.Index(text, "HTTP/1.1 ")
	if at < 0 {
		return nil
	}
	one, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text[at:])), answer.Request)
	if err != nil || one.StatusCode < http.StatusBadRequest {
		return nil
	}
	return translate(runtime.NewResponseError(one))
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
