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
	"github.com/omnibucket/storage/uploads/internal/ledger"
)

// A Ticket lets a client send one file directly to the store in one request. Either Put or Form is
// set, and describes that request. The client then sends Token back, and the server calls
// [Service.Finish] with Token.
//
// The JSON of a Ticket contains the signature and the token, because the client needs both. A
// Ticket that is printed or logged shows neither of them. The server keeps no state for a ticket.
// Use the S3 routes instead for files that are too large for one request (5 GiB on S3), and for
// uploads that must survive an interruption.
type Ticket struct {
	Put     *storage.SignedURL  `json:"put,omitempty"`
	Form    *storage.SignedForm `json:"form,omitempty"`
	Token   string              `json:"token"`
	MaxSize int64               `json:"maxSize"` // bytes
	// ExpiresAt is when Put or Form expires. The client must start its request before then.
	ExpiresAt time.Time `json:"expiresAt"`
}

// String describes the request without its signature and without the token.
func (t Ticket) String() string {
	if t.Put != nil {
		return "ticket for " + t.Put.String()
	}
	if t.Form != nil {
		return "ticket for " + t.Form.String()
	}
	return "ticket"
}

// GoString returns the text of String, so that %#v shows no secrets either.
func (t Ticket) GoString() string { return t.String() }

// LogValue returns the text of String, so that logs have no signature and no token.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// contentTypeOfPending is the type of files that are not checked yet. Browsers save such a file,
// whatever its content is.
const contentTypeOfPending = "application/octet-stream"

// Sign returns a Ticket, with which a client sends one file to a key under Config.Prefix. If the
// Ticket has a Put, a store with [storage.SignedIfAbsent] and [storage.ConditionalCreate] accepts
// the file only once.
//
// The features of the store decide which size it accepts:
//
//   - If r.Size is above 0, a store with [storage.SignedSize] accepts only exactly this size.
//   - Otherwise, a store with [storage.SignedForms] enforces the limits of the rules.
//   - Any other store accepts any size. A file that is too large takes space until Finish or Sweep
//     removes it.
//
// Finish checks the file again in all cases.
//
// If the bucket cannot sign URLs, Sign fails with StoreFailed, which wraps Unsupported. Without
// Config.Allowance, Sign makes no request. With Config.Allowance, Sign reserves r.Size bytes. If
// r.Size is 0 or less, it reserves everything that is permitted. The reservation stays until the
// file is finished, the ticket is canceled ([Service.Cancel]) or has expired, and Sweep has run. A
// ticket expires 30 hours after its Put or Form.
func (s *Service) Sign(ctx context.Context, r Request, user User) (*Ticket, error) {
	name := CleanName(r.Name)
	if s.config.Inspect != nil {
		return nil, refuse(tokenField, NotAllowed, "Files cannot be sent by a ticket here.").about(name)
	}
	// Refuse now what Finish would refuse anyway: an invalid user, length or type.
	if e := cmp.Or(s.checkUser(user), newBounds(s.judge, r.Size).checkClaim(), refused(s.judge.CheckClaim(r.Type))); e != nil {
		return nil, e.about(name)
	}
	random, err := randomKey(s.config.Random)
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	t := &ticketOp{service: s, user: user, said: ticket{random.String(), s.config.Now().Unix(), max(r.Size, 0), name}}
	maximum, e := t.reserve(ctx)
	if e != nil {
		return nil, e.about(name)
	}
	signed, err := t.sign(ctx, maximum)
	if err != nil {
		s.counter.giveBack(ctx, user.ID, t.said.Random)
		return nil, storeFailed(err).about(name)
	}
	return signed, nil
}

type ticketOp struct {
	service *Service
	user    User
	said    ticket // the content of the token
	// reserved is the number of bytes that are reserved for the file. If it is 0, the reservation
	// does not limit the file.
	reserved int64
	known    *File // what is known of the file and its reservation; nil in Sign
}

// usesForm reports whether the ticket has a Form instead of a Put. A form can limit the size of a
// file whose size is not known.
func (t *ticketOp) usesForm() bool {
	return t.said.Size == 0 && storage.Supports(t.service.bucket, storage.SignedForms)
}

// acceptsOnce reports whether two objects are safe from being overwritten: the file that the client
// sends, and the final object.
func (t *ticketOp) acceptsOnce() bool {
	return t.service.guarded && !t.usesForm() && storage.Supports(t.service.bucket, storage.SignedIfAbsent)
}

// reserve reserves the bytes that the ticket permits, and returns how many bytes the file may have.
// The reservation ends when the ticket can no longer be finished.
func (t *ticketOp) reserve(ctx context.Context) (most int64, e *Error) {
	s := t.service
	most = s.judge.Rules().MaxSize
	if s.counter == nil {
		return most, nil
	}
	end := time.Unix(t.said.Issued, 0).Add(s.config.UploadTTL + finishWithin + finishTimeout).UTC()
	granted, e := s.counter.reserve(ctx, ask{
		user:  t.user,
		name:  t.said.Random,
		size:  cmp.Or(t.said.Size, -1),
		most:  most,
		entry: ledger.Entry{Files: 1, Stem: s.pattern.Stem(t.finalKey("")), Until: end},
	})
	if granted > 0 {
		most = min(most, granted)
	}
	return most, e
}

func (t *ticketOp) sign(ctx context.Context, limit int64) (*Ticket, error) {
	s := t.service
	limits := t.service.judge.Rules()
	ticket := &Ticket{MaxSize: limit, Token: t.token()}
	opts := []storage.SignedUploadOption{
		storage.WithTTL(s.config.UploadTTL), storage.WithContentType(contentTypeOfPending),
	}
	if t.usesForm() {
		form, err := storage.SignedUploadForm(ctx, s.bucket, t.pendingKey(), min(limits.MinSize, limit), limit, opts...)
		if err == nil {
			ticket.Form = form
			ticket.ExpiresAt = form.ExpiresAt
		}
		return ticket, err
	}
	if t.said.Size > 0 && storage.Supports(s.bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(t.said.Size))
	}
	if storage.Supports(s.bucket, storage.SignedIfAbsent|storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	put, err := s.bucket.SignedUploadURL(ctx, t.pendingKey(), opts...)
	if err == nil {
		ticket.Put = put
		ticket.ExpiresAt = put.ExpiresAt
	}
	return ticket, err
}

// A ticket is the content of a token, which permits finishing one upload. It does not contain the
// user, but the signature of the token is valid only for one user.
type ticket struct {
	Random string // random part of the key under which the client stores the file
	Issued int64  // Unix time in seconds, which gives the date in the final key
	Size   int64  // announced size in bytes; 0 means not known
	Name   string // name of the file, safe to show
}

// finishWithin is how long an upload may still be finished after its Put or Form has expired. It
// leaves time for large files on slow connections, and for a computer that sleeps overnight.
const finishWithin = 24 * time.Hour

// token returns the token for the client. It consists of the content and a MAC over the content,
// the user and the pattern of the final key.
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

// openTicket verifies a token and reads its content. If the token was changed, or belongs to
// another user, key or pattern, openTicket fails with NotFound.
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
	if err != nil || t.expired() {
		return nil, tooOld()
	}
	return t, nil
}

// expired reports whether the upload may not be finished any more.
func (t *ticketOp) expired() bool {
	config := t.service.config
	return config.Now().After(time.Unix(t.said.Issued, 0).Add(config.UploadTTL + finishWithin))
}

func tooOld() *Error {
	return refuse(tokenField, NotFound, "This upload was started too long ago. Send the file again.")
}

// macOf returns a MAC over several texts. It quotes each text, so that different lists of texts
// have different MACs.
func macOf(key []byte, texts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for _, text := range texts {
		_, _ = fmt.Fprintf(mac, "%q\n", text)
	}
	return mac.Sum(nil)
}

func (t *ticketOp) pendingKey() string { return t.service.config.Prefix + t.said.Random }

// finalKey returns the final key of the file. The sender knows the first key, but cannot derive the
// final one. So nobody can request the final object while it is still being inspected.
func (t *ticketOp) finalKey(extension string) string {
	random := keypattern.Random(macOf(t.service.config.TokenKey, "omnibucket upload key", t.said.Random))
	return t.service.pattern.Key(t.user.values(), time.Unix(t.said.Issued, 0), random, extension)
}
