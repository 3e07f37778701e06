package uploads

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// A Ticket lets a client send one file to the store in one request, with that of Put or with
// the form; it has one of the two. The client then passes Token to Finish. Its JSON is
// complete, for the client. As text it shows no signature and no token. The ticket is the only
// state. A file that is larger than one request (5 GiB on S3), or that must continue after an
// interruption, is sent by the S3 routes.
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

// Sign permits sending one file to a key under Config.Prefix. If the store can, it
// enforces the size, exactly if r.Size is above 0 ([storage.SignedSize]) and otherwise
// within the bounds ([storage.SignedForms]), and accepts the file only once
// ([storage.SignedIfAbsent]). Finish checks everything again, so a store that can do
// none of this only loses space for a while. If the bucket cannot sign addresses,
// Sign fails with StoreFailed, which wraps Unsupported. It makes no request.
func (s *Service) Sign(ctx context.Context, r Request, user User) (*Ticket, error) {
	name := CleanName(r.Name)
	if s.config.Inspect != nil {
		return nil, refuse(tokenField, NotAllowed, "Files cannot be sent by a ticket here.").about(name)
	}
	if e := s.precheck(r, user); e != nil {
		return nil, e.about(name)
	}
	random, err := randomKey(s.config.Random)
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	t := &ticketOp{service: s, values: user.values(), said: ticket{random: random, issued: s.config.Now(), size: max(r.Size, 0), name: name}}
	signed := &Ticket{MaxSize: s.judge.Rules().MaxSize}
	if t.usesForm() {
		err = t.signForm(ctx, signed)
	} else {
		err = t.signPut(ctx, signed)
	}
	if err != nil {
		return nil, storeFailed(err).about(name)
	}
	signed.Token = s.tokens.encode(t.said, t.values)
	return signed, nil
}

// A ticketOp is one call for a ticket.
type ticketOp struct {
	service *Service
	said    ticket // by the token
	values  values // of the user
}

// usesForm reports whether the ticket has a form, which limits a size that is not
// known.
func (t *ticketOp) usesForm() bool {
	return t.said.size == 0 && storage.Supports(t.service.bucket, storage.SignedForms)
}

// acceptsOnce reports whether the store refuses to overwrite the ticket's file and
// the final object.
func (t *ticketOp) acceptsOnce() bool {
	return t.service.guarded && !t.usesForm() && storage.Supports(t.service.bucket, storage.SignedIfAbsent)
}

// precheck refuses what Finish would certainly refuse.
func (s *Service) precheck(r Request, user User) *Error {
	if e := s.checkValues(user.values()); e != nil {
		return e
	}
	if e := newBounds(s.judge, r.Size).checkClaim(); e != nil {
		return e
	}
	return refused(s.judge.CheckClaim(r.Type))
}

func (t *ticketOp) signForm(ctx context.Context, signed *Ticket) (err error) {
	s := t.service
	signed.Form, err = storage.SignedUploadForm(ctx, s.bucket, s.tokens.pendingKey(t.said), s.judge.Rules().MinSize, s.judge.Rules().MaxSize,
		storage.WithTTL(s.config.UploadTTL), storage.WithContentType(contentTypeOfPending))
	if err == nil {
		signed.ExpiresAt = signed.Form.ExpiresAt
	}
	return err
}

func (t *ticketOp) signPut(ctx context.Context, signed *Ticket) (err error) {
	s := t.service
	opts := []storage.SignedUploadOption{storage.WithTTL(s.config.UploadTTL), storage.WithContentType(contentTypeOfPending)}
	if t.said.size > 0 && storage.Supports(s.bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(t.said.size))
	}
	if storage.Supports(s.bucket, storage.SignedIfAbsent|storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	signed.Put, err = s.bucket.SignedUploadURL(ctx, s.tokens.pendingKey(t.said), opts...)
	if err == nil {
		signed.ExpiresAt = signed.Put.ExpiresAt
	}
	return err
}

// A ticket is the content of a token: one upload that may be finished. The values are
// not in it, but it is valid only for them.
type ticket struct {
	random keypattern.Random // of the pending key
	issued time.Time         // to the second; the date in the final key
	size   int64             // bytes, as claimed; 0: not known
	name   string            // safe to show
}

const (
	tokenVersion = 1
	tokenFixed   = 1 + len(keypattern.Random{}) + 8 + 8
	// finishWithin is how long an upload may be finished after it could last start.
	// It allows for large files on slow lines, and a night's sleep.
	finishWithin = 24 * time.Hour
)

// tokens makes and checks the tokens of tickets.
type tokens struct {
	config   Config
	pattern  *keypattern.Pattern
	tokenKey []byte
}

// encode returns the token: its content and a MAC over that, the values and the
// place they lead to.
func (k *tokens) encode(t ticket, v values) string {
	b := make([]byte, 0, tokenFixed+len(t.name)+sha256.Size)
	b = append(b, tokenVersion)
	b = append(b, t.random[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	b = append(b, t.name...)
	return base64.RawURLEncoding.EncodeToString(k.sign(b, v).Sum(b))
}

// decode returns the content of a token. If the token was changed, or is for
// other values, another key or another place, it fails with NotFound.
func (k *tokens) decode(token string, v values) (ticket, *Error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenFixed+sha256.Size {
		return ticket{}, invalidTicket()
	}
	said, proof := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(proof, k.sign(said, v).Sum(nil)) || said[0] != tokenVersion {
		return ticket{}, invalidTicket()
	}
	t := ticket{random: keypattern.Random(said[1:])}
	t.issued = time.Unix(int64(binary.BigEndian.Uint64(said[1+len(t.random):])), 0)
	t.size = int64(binary.BigEndian.Uint64(said[1+len(t.random)+8:]))
	t.name = string(said[tokenFixed:])
	if k.config.Now().After(k.end(t)) {
		return ticket{}, ticketTooOld()
	}
	return t, nil
}

// end returns when a ticket ends. Until then its file may be finished.
func (k *tokens) end(t ticket) time.Time {
	return t.issued.UTC().Truncate(time.Second).Add(k.config.UploadTTL + finishWithin)
}

func (k *tokens) sign(said []byte, v values) hash.Hash {
	mac := hmac.New(sha256.New, k.tokenKey)
	field := func(text string) {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		mac.Write([]byte(text))
	}
	field("omnibucket upload ticket")
	field(k.pattern.Text)
	field(k.config.Prefix)
	field(string(said))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		field(name)
		field(v[name])
	}
	return mac
}

// finalRandom returns the random part of the final key. The sender knows the pending
// key but cannot derive this one, so nobody requests an object that is still being
// inspected.
func (k *tokens) finalRandom(t ticket) keypattern.Random {
	mac := hmac.New(sha256.New, k.tokenKey)
	mac.Write([]byte("omnibucket upload key"))
	mac.Write(t.random[:])
	return keypattern.Random(mac.Sum(nil))
}

func (k *tokens) pendingKey(t ticket) string { return k.config.Prefix + t.random.String() }
