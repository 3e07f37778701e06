package uploads

import (
	"context"
	"log/slog"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"github.com/omnibucket/storage"
)

// A Request is what somebody says of a file that is to go straight to the store.
type Request struct {
	Name        string
	ClaimedType string // refused early where it is what browsers run; of all else the content decides, in Finish
	Size        int64  // bytes; 0 or less: not known
	Values      Values
}

// A Ticket lets a client send one file to the store: by the request of Put, or
// by the form, whichever there is. Then it gives Token to Finish. Its JSON is
// plain, for handing over; as text it shows no signature and no token.
type Ticket struct {
	Put       *storage.SignedURL  `json:"put,omitempty"`
	Form      *storage.UploadForm `json:"form,omitempty"`
	Token     string              `json:"token"`
	MaxSize   int64               `json:"maxSize"`   // bytes
	ExpiresAt time.Time           `json:"expiresAt"` // of Put or Form: the upload has to begin before
}

// String is the request without its signature.
func (t Ticket) String() string {
	switch {
	case t.Put != nil:
		return "ticket for " + t.Put.String()
	case t.Form != nil:
		return "ticket for " + t.Form.String()
	}
	return "ticket"
}

// GoString is String.
func (t Ticket) GoString() string { return t.String() }

// LogValue shows no signature and no token.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// contentTypeOfPending is what no browser shows, whatever was sent.
const contentTypeOfPending = "application/octet-stream"

// Sign hands out permission to send one file to a key under PendingPrefix. The
// store itself holds the size where it can: exactly, of a Size that is known
// (storage.SignSize), else within the bounds (storage.SignForms); and lets the
// file arrive once (storage.SignIfAbsent). Finish looks at all of it again, so a
// store that can do none of this costs room for a while, and nothing else.
// Unsupported, below StoreFailed, where the bucket signs no addresses.
func (s *Service) Sign(ctx context.Context, r Request) (*Ticket, error) {
	name := CleanName(r.Name)
	if e := s.precheck(r); e != nil {
		return nil, e.about(name)
	}
	random, err := s.randomKey()
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	said := ticket{random: random, issued: s.config.Now(), size: max(r.Size, 0), name: name}
	t := &Ticket{Token: s.encodeToken(said, r.Values), MaxSize: s.config.MaxSize}
	if s.usesForm(said) {
		err = s.signForm(ctx, t, said)
	} else {
		err = s.signPut(ctx, t, said)
	}
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	return t, nil
}

// byForm reports whether the ticket has a form, which bounds a size that nobody
// knows.
func (s *Service) usesForm(t ticket) bool {
	return t.size == 0 && storage.Supports(s.bucket, storage.SignForms)
}

// arrivesOnce reports whether the store refuses the ticket's file where there is
// one, and the final key's as well.
func (s *Service) acceptsOnce(t ticket) bool {
	return s.guarded && !s.usesForm(t) && storage.Supports(s.bucket, storage.SignIfAbsent)
}

// mayAsk refuses what Finish would refuse for sure.
func (s *Service) precheck(r Request) *Error {
	if e := s.checkValues(r.Values); e != nil {
		return e
	}
	if e := s.bounds(r.Size).checkClaim(); e != nil {
		return e
	}
	claimed := claimedType(r.ClaimedType)
	if known := mimetype.Lookup(claimed); known == nil || !isActive(known) {
		return nil
	}
	return s.notAllowed(claimed, "")
}

func (s *Service) signForm(ctx context.Context, t *Ticket, said ticket) (err error) {
	t.Form, err = storage.SignedUploadForm(ctx, s.bucket, s.pendingKey(said), s.config.MinSize, s.config.MaxSize,
		storage.WithTTL(s.config.UploadTTL), storage.WithContentType(contentTypeOfPending))
	if err == nil {
		t.ExpiresAt = t.Form.ExpiresAt
	}
	return err
}

func (s *Service) signPut(ctx context.Context, t *Ticket, said ticket) (err error) {
	opts := []storage.SignedUploadOption{storage.WithTTL(s.config.UploadTTL), storage.WithContentType(contentTypeOfPending)}
	if said.size > 0 && storage.Supports(s.bucket, storage.SignSize) {
		opts = append(opts, storage.WithSize(said.size))
	}
	if storage.Supports(s.bucket, storage.SignIfAbsent) {
		opts = append(opts, storage.IfAbsent())
	}
	t.Put, err = s.bucket.SignedUploadURL(ctx, s.pendingKey(said), opts...)
	if err == nil {
		t.ExpiresAt = t.Put.ExpiresAt
	}
	return err
}
