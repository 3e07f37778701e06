package uploads

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
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
// file is finished or the ticket is canceled ([Service.Cancel]). Otherwise it ends with the first
// Sweep that runs 30 hours after Put or Form has expired. Finish accepts the ticket for 24 hours
// after that expiry, and a call of Finish may take six hours.
func (s *Service) Sign(ctx context.Context, r Request, user User) (*Ticket, error) {
	t, err := s.newTicket(ctx, r, user)
	if err != nil {
		return nil, publicFileError(err, filename.Clean(r.Name))
	}
	return t, nil
}

// newTicket does the work of Sign, and returns errors as they are.
func (s *Service) newTicket(ctx context.Context, r Request, user User) (*Ticket, error) {
	if s.setup.config.Inspect != nil {
		return nil, refusal.New(refusal.TokenField, refusal.CodeNotAllowed, "Files cannot be sent by a ticket here.")
	}

	// Refuse now what Finish would refuse anyway: an invalid user, length or type.
	if err := s.setup.checkUser(user); err != nil {
		return nil, err
	}
	if err := newBounds(s.setup.judge, r.Size).checkClaim(); err != nil {
		return nil, err
	}
	if err := refusal.ByRules(s.setup.judge.CheckClaim(r.Type)); err != nil {
		return nil, err
	}

	// Make the ticket, whose random text names the file that is sent.
	random, err := randomKey(s.setup.config.Random)
	if err != nil {
		return nil, err
	}

	t := &ticketOp{
		setup:   s.setup,
		service: s,
		user:    user,
		ticket: ticket{
			Random: random.String(),
			Issued: s.setup.config.Now().Unix(),
			Size:   max(r.Size, 0),
			Name:   filename.Clean(r.Name),
		},
	}

	// Reserve room for the file.
	maxSize, err := t.reserve(ctx)
	if err != nil {
		return nil, err
	}

	// Sign the request by which the client sends the file.
	signed, err := t.sign(ctx, maxSize)
	if err != nil {
		s.counter.releaseRoom(ctx, user.ID, t.ticket.Random)
		return nil, err
	}
	return signed, nil
}

// A ticketOp is one call that signs, finishes or cancels a ticket.
type ticketOp struct {
	setup   *setup
	service *Service
	user    User
	ticket  ticket // the content of the token
	// reserved is the number of bytes that are reserved for the file. If it is 0, the reservation
	// does not limit the file.
	reserved int64
	known    *File // what is known of the file and its reservation; nil in Sign
}

// usesForm reports whether the ticket has a Form instead of a Put. A form can limit the size of a
// file whose size is not known.
func (t *ticketOp) usesForm() bool {
	return t.ticket.Size == 0 && storage.Supports(t.setup.bucket, storage.SignedForms)
}

// acceptsOnce reports whether two objects are safe from being overwritten: the file that the client
// sends, and the final object.
func (t *ticketOp) acceptsOnce() bool {
	return t.setup.guarded && !t.usesForm() && storage.Supports(t.setup.bucket, storage.SignedIfAbsent)
}

// reserve reserves room for the file until the ticket can no longer be finished, and returns how many
// bytes the file may have.
func (t *ticketOp) reserve(ctx context.Context) (int64, error) {
	maxSize := t.setup.judge.Rules().MaxSize
	counter := t.service.counter
	if counter == nil {
		return maxSize, nil
	}

	size := t.ticket.Size
	if size == 0 {
		// The ticket has no size, which is -1 in a request for room.
		size = -1
	}
	stem := t.setup.pattern.Stem(t.finalKey(""))
	// After this time, no call can finish the ticket.
	end := t.issuedAt().Add(t.setup.config.UploadTTL + finishWithin + finishTimeout).UTC()
	granted, err := counter.reserve(ctx, roomRequest{
		user:    t.user,
		name:    t.ticket.Random,
		size:    size,
		maxSize: maxSize,
		entry:   ledger.Entry{Files: 1, Stem: stem, Until: end},
	})
	if err != nil {
		return 0, err
	}

	isLimited := granted > 0
	if !isLimited {
		return maxSize, nil
	}
	return min(maxSize, granted), nil
}

// sign returns a Ticket with the signed request for a file of at most maxSize bytes: a form, or a
// URL for PUT.
func (t *ticketOp) sign(ctx context.Context, maxSize int64) (*Ticket, error) {
	bucket := t.setup.bucket
	ticket := &Ticket{MaxSize: maxSize, Token: t.token()}
	opts := []storage.SignedUploadOption{
		storage.WithTTL(t.setup.config.UploadTTL),
		storage.WithContentType(session.PendingType),
	}

	// A form limits the length of the file by itself.
	if t.usesForm() {
		minSize := min(t.setup.judge.Rules().MinSize, maxSize)
		form, err := storage.SignedUploadForm(ctx, bucket, t.pendingKey(), minSize, maxSize, opts...)
		if err != nil {
			return nil, err
		}
		ticket.Form = form
		ticket.ExpiresAt = form.ExpiresAt
		return ticket, nil
	}

	put, err := t.signPut(ctx, opts)
	if err != nil {
		return nil, err
	}
	ticket.Put = put
	ticket.ExpiresAt = put.ExpiresAt
	return ticket, nil
}

// signPut signs a URL for PUT. It limits the length of the file only if the client has said the length and the store
// can sign it.
func (t *ticketOp) signPut(
	ctx context.Context, opts []storage.SignedUploadOption,
) (*storage.SignedURL, error) {
	bucket := t.setup.bucket
	if t.ticket.Size > 0 && storage.Supports(bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(t.ticket.Size))
	}
	if storage.Supports(bucket, storage.SignedIfAbsent|storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	return bucket.SignedUploadURL(ctx, t.pendingKey(), opts...)
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

// token returns the token for the client, which is the encoded ticket and its proof.
func (t *ticketOp) token() string {
	// Marshal never fails, because a ticket has only texts and numbers.
	text, _ := json.Marshal(t.ticket)
	payload := base64.RawURLEncoding.EncodeToString(text)
	return payload + "." + t.proof(payload)
}

// proof returns the MAC that proves that this service made the token for this user and this key
// pattern.
func (t *ticketOp) proof(payload string) string {
	values := t.user.values()
	fields := []string{"omnibucket upload ticket", t.setup.pattern.Text, t.setup.config.Prefix, payload}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fields = append(fields, name, values[name])
	}
	return base64.RawURLEncoding.EncodeToString(session.MAC(t.setup.config.TokenKey, fields...))
}

// openTicket verifies and decodes a token. It fails with NotFound if the token was changed, or was
// made for another user or with another configuration.
func (s *Service) openTicket(token string, user User) (*ticketOp, error) {
	if err := s.setup.checkUser(user); err != nil {
		return nil, err
	}

	t := &ticketOp{setup: s.setup, service: s, user: user}
	payload, proof, _ := strings.Cut(token, ".")
	isGenuine := hmac.Equal([]byte(proof), []byte(t.proof(payload)))
	if !isGenuine {
		return nil, refusal.New(refusal.TokenField, refusal.CodeNotFound, "This upload is not yours, or is not known here.")
	}

	// The token is from this service. If its content cannot be read, another version has made it.
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return nil, tooOld()
	}
	err = json.Unmarshal(text, &t.ticket)
	if err != nil {
		return nil, tooOld()
	}
	if t.isExpired() {
		return nil, tooOld()
	}
	return t, nil
}

// issuedAt returns when the ticket was signed.
func (t *ticketOp) issuedAt() time.Time { return time.Unix(t.ticket.Issued, 0) }

// isExpired reports whether the upload may not be finished any more.
func (t *ticketOp) isExpired() bool {
	config := t.setup.config
	return config.Now().After(t.issuedAt().Add(config.UploadTTL + finishWithin))
}

// tooOld returns the error for a ticket that can no longer be finished.
func tooOld() *refusal.Error {
	return refusal.New(refusal.TokenField, refusal.CodeNotFound, "This upload was started too long ago. Send the file again.")
}

// pendingKey returns the key under which the client stores the file.
func (t *ticketOp) pendingKey() string { return t.setup.config.Prefix + t.ticket.Random }

// finalKey returns the final key of the file, which the sender cannot derive from the first one, so that nobody
// can request the object while it is still being inspected.
func (t *ticketOp) finalKey(extension string) string {
	random := keypattern.Random(session.MAC(t.setup.config.TokenKey, "omnibucket upload key", t.ticket.Random))
	return t.setup.pattern.Key(t.user.values(), t.issuedAt(), random, extension)
}
