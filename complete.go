package storage

import (
	"context"
	"net/http"
	"slices"
)

// complete makes the object of the parts.
func (p *partUpload) complete(ctx context.Context, declared *uint32) (*Attrs, *Error) {
	slices.SortFunc(p.parts, func(a, b Part) int { return a.Number - b.Number })
	last, e := p.ending()
	if e != nil {
		return nil, e
	}
	r := &CompleteRequest{Put: &p.req, Upload: p.name, Parts: p.parts, Last: last}
	size, crc := joined(r)
	if declared != nil && *declared != crc {
		return nil, mismatch(*declared, crc)
	}
	p.req.Size, p.req.CRC32C = size, &crc
	asked, e := p.completes()
	if e != nil {
		return nil, e
	}
	var a *Attrs
	e = p.unlessLost(ctx, p.last.body(), func(ctx context.Context) (err error) {
		a, err = p.core.driver.CompleteParts(ctx, r)
		return err
	})
	if e != nil && !e.Unknown && (p.gone(e) || asked && e.Code == PreconditionFailed) {
		if a, e = p.resolved(ctx, e, asked, size); e != nil {
			return nil, e
		}
	}
	a, e = p.verdict(ctx, a, e, size)
	if p.goesOn && e != nil && e.Code == ChecksumMismatch && !e.Unknown {
		e = begunAnew(e) // bytes have gone in that the body had then
	}
	return a, e
}

// unlessLost is send for a call of an upload that may have to begin anew: that
// is not tried again as it is.
func (p *partUpload) unlessLost(ctx context.Context, body replayable, do func(context.Context) error) *Error {
	var lost *Error
	e := p.upload.send(ctx, body, func(ctx context.Context) error {
		err := do(ctx)
		if err != nil {
			if lost = asError(ctx, err); conflict(lost) {
				return Internal
			}
		}
		return err
	})
	if e != nil && conflict(lost) {
		lost.Unknown = e.Unknown
		return lost
	}
	return e
}

// conflict is S3's ConditionalRequestConflict on completion, or a session that
// the store has lost: no verdict on the condition, and the upload is of no use any
// more.
func conflict(e *Error) bool {
	return e != nil && e.Code == Unavailable && e.Status == http.StatusConflict
}

// abort gives back what the provider keeps of the upload, on a context of its
// own: the caller's is often done by then. Where that fails too, e says so.
func (p *partUpload) abort(ctx context.Context, e *Error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	failed := p.call(ctx, func(ctx context.Context) error {
		return p.core.driver.AbortParts(ctx, p.key, p.name)
	})
	if failed != nil && e.Hint == "" {
		e.Hint = "the parts that were sent could not be removed: " + string(failed.Code)
	}
}
