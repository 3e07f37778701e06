package uploads

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// A Ticket lets a client send one file to the store in one request: by Put or by Form, of which
// it has one. The client then passes Token to Finish. Its JSON is complete, for the client. As
// text it shows no signature and no token. The ticket is the only state. A file that is larger
// than one request (5 GiB on S3), or that must continue after an interruption, is sent by the
// S3 routes.
type Ticket struct {
	Put     *storage.SignedURL  `json:"put,omitempty"`
	Form    *storage.SignedForm `json:"form,omitempty"`
	Token   string              `json:"token"`
	MaxSize int64               `json:"maxSize"` // bytes
	// ExpiresAt is when Put or Form ends; the upload must start before.
	ExpiresAt time.Time `json:"expiresAt"`
}

// String returns the request without its signature.
func (t Ticket) String() string {
	switch {
	case t.Put != nil:
		return "ticket for " + t.Put.String()
	case t.Form != nil:
		return "ticket for " + t.Form.String()
	}
	return "ticket"
}

// GoString returns the same as String.
func (t Ticket) GoString() string { return t.String() }

// LogValue shows no signature and no token.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// contentTypeOfPending is a type that no browser shows, whatever was sent.
const contentTypeOfPending = "application/octet-stream"

// Sign permits sending one file to a key under Config.Prefix. If the store can, it accepts the
// file only once ([storage.SignedIfAbsent]), and enforces the size: exactly if r.Size is above
// 0 ([storage.SignedSize]), otherwise within the bounds ([storage.SignedForms]). Finish checks
// everything again, so a store that can do none of this only loses space for a while. If the
// bucket cannot sign addresses, Sign fails with StoreFailed, which wraps Unsupported. It makes
// no request.
func (s *Service) Sign(ctx context.Context, r Request, user User) (*Ticket, error) {
	name := CleanName(r.Name)
	if s.config.Inspect != nil {
		return nil, refuse(tokenField, NotAllowed, "Files cannot be sent by a ticket here.").about(name)
	}
	// Finish would certainly refuse the same upload.
	if e := cmp.Or(s.checkUser(user), newBounds(s.judge, r.Size).checkClaim(), refused(s.judge.CheckClaim(r.Type))); e != nil {
		return nil, e.about(name)
	}
	random, err := randomKey(s.config.Random)
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	t := &ticketOp{s, user, ticket{random.String(), s.config.Now().Unix(), max(r.Size, 0), name}}
	signed, err := t.sign(ctx)
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	return signed, nil
}

type ticketOp struct {
	service *Service
	user    User
	said    ticket // the content of the token
}

// usesForm reports whether the ticket has a form, which limits the size if it is not known.
func (t *ticketOp) usesForm() bool {
	return t.said.Size == 0 && storage.Supports(t.service.bucket, storage.SignedForms)
}

// acceptsOnce reports whether the store refuses to overwrite the ticket's file and
// the final object.
func (t *ticketOp) acceptsOnce() bool {
	return t.service.guarded && !t.usesForm() && storage.Supports(t.service.bucket, storage.SignedIfAbsent)
}

func (t *ticketOp) sign(ctx context.Context) (*Ticket, error) {
	s, limits := t.service, t.service.judge.Rules()
	signed := &Ticket{MaxSize: limits.MaxSize, Token: t.token()}
	opts := []storage.SignedUploadOption{
		storage.WithTTL(s.config.UploadTTL), storage.WithContentType(contentTypeOfPending),
	}
	if t.usesForm() {
		form, err := storage.SignedUploadForm(ctx, s.bucket, t.pendingKey(), limits.MinSize, limits.MaxSize, opts...)
		if err == nil {
			signed.Form, signed.ExpiresAt = form, form.ExpiresAt
		}
		return signed, err
	}
	if t.said.Size > 0 && storage.Supports(s.bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(t.said.Size))
	}
	if storage.Supports(s.bucket, storage.SignedIfAbsent|storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	put, err := s.bucket.SignedUploadURL(ctx, t.pendingKey(), opts...)
	if err == nil {
		signed.Put, signed.ExpiresAt = put, put.ExpiresAt
	}
	return signed, err
}

// A ticket is the content of a token: one upload that may be finished. The user is not in it,
// but the token is valid only for that user.
type ticket struct {
	Random string // random part of the pending key
	Issued int64  // Unix time in seconds; the date in the final key
	Size   int64  // claimed size in bytes; 0 means not known
	Name   string // safe to show
}

// finishWithin is how long an upload may be finished after it could last start.
// It allows for large files on slow lines, and a night's sleep.
const finishWithin = 24 * time.Hour

// token returns the token: its content, and a MAC over the content, the user and the place of the
// final key.
func (t *ticketOp) token() string {
	text, _ := json.Marshal(t.said) // never fails
	said := base64.RawURLEncoding.EncodeToString(text)
	return said + "." + t.proof(said)
}

func (t *ticketOp) proof(said string) string {
	values := t.user.values()
	fields := []string{"omnibucket upload ticket", t.service.pattern.Text, t.service.config.Prefix, said}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fields = append(fields, name, values[name])
	}
	return base64.RawURLEncoding.EncodeToString(macOf(t.service.config.TokenKey, fields...))
}

// openTicket reads a token. If it was changed, or is for another user, key or place, it fails with NotFound.
func (s *Service) openTicket(token string, user User) (*ticketOp, *Error) {
	if e := s.checkUser(user); e != nil {
		return nil, e
	}
	t := &ticketOp{service: s, user: user}
	said, proof, _ := strings.Cut(token, ".")
	if !hmac.Equal([]byte(proof), []byte(t.proof(said))) {
		return nil, refuse(tokenField, NotFound, "This upload is not yours, or is not known here.")
	}
	text, err := base64.RawURLEncoding.DecodeString(said)
	if err == nil {
		err = json.Unmarshal(text, &t.said)
	}
	if err != nil || s.config.Now().After(time.Unix(t.said.Issued, 0).Add(s.config.UploadTTL+finishWithin)) {
		return nil, refuse(tokenField, NotFound, "This upload was started too long ago. Send the file again.")
	}
	return t, nil
}

// macOf returns a MAC over texts. No two lists of texts have the same MAC.
func macOf(key []byte, texts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, text := range texts {
		_, _ = fmt.Fprintf(mac, "%q\n", text)
	}
	return mac.Sum(nil)
}

func (t *ticketOp) pendingKey() string { return t.service.config.Prefix + t.said.Random }

// finalKey returns the key of the file. The sender knows the pending key but cannot derive the final one, so
// nobody can request an object that is still being inspected.
func (t *ticketOp) finalKey(extension string) string {
	random := keypattern.Random(macOf(t.service.config.TokenKey, "omnibucket upload key", t.said.Random))
	return t.service.pattern.Key(t.user.values(), time.Unix(t.said.Issued, 0), random, extension)
}
