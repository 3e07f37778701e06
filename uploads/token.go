package uploads

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// A ticket is the content of a token: one upload that may be finished. The values are
// not in it, but it is valid only for them.
type ticket struct {
	random keypattern.Random // of the pending key
	issued time.Time         // to the second; the date in the final key
	size   int64             // bytes, as claimed; 0: not known
	name   string            // safe to show
	parts  Parts             // of a ticket in parts
	upload string            // the store's token of a ticket in parts; "": of any other
}

func (t ticket) inParts() bool { return t.upload != "" }

const (
	tokenWhole = 1 // the version of a token for one request
	tokenParts = 2 // and of one for a file in parts
	tokenFixed = 1 + len(keypattern.Random{}) + 8 + 8
	// finishWithin is how long an upload may be finished after it could last start.
	// It allows for large files on slow lines, and a night's sleep. A file in parts is
	// sent in that time too.
	finishWithin = 24 * time.Hour
)

// tokens makes and checks the tokens of tickets.
type tokens struct {
	config   Config
	pattern  *keypattern.Pattern
	tokenKey []byte
	sealer   cipher.AEAD
}

// encode returns the token: its content and a MAC over that, the values and the
// place they lead to.
func (k *tokens) encode(t ticket, v values) string {
	b := make([]byte, 0, tokenFixed+len(t.name)+sha256.Size)
	version := byte(tokenWhole)
	if t.inParts() {
		version = tokenParts
	}
	b = append(b, version)
	b = append(b, t.random[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.size))
	if t.inParts() {
		b = k.appendParts(b, t)
	} else {
		b = append(b, t.name...)
	}
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
	if !hmac.Equal(proof, k.sign(said, v).Sum(nil)) {
		return ticket{}, invalidTicket()
	}
	t := ticket{random: keypattern.Random(said[1:])}
	t.issued = time.Unix(int64(binary.BigEndian.Uint64(said[1+len(t.random):])), 0)
	t.size = int64(binary.BigEndian.Uint64(said[1+len(t.random)+8:]))
	switch rest := said[tokenFixed:]; said[0] {
	case tokenWhole:
		t.name = string(rest)
	case tokenParts:
		if !k.readParts(&t, rest) {
			return ticket{}, invalidTicket()
		}
	default:
		return ticket{}, invalidTicket()
	}
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

// The token of a ticket in parts has the token of the store's upload, so that no state is kept
// beside it. On Azure that token has a secret, and everywhere it tells keys and attributes.
// Therefore it is encrypted.

// newSealer returns the cipher for tokens of the store, with a key of its own.
func newSealer(tokenKey []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, tokenKey)
	mac.Write([]byte("omnibucket upload parts"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // never: the key has 32 bytes
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // never: the block has 16 bytes
	}
	return sealer
}

// partsFixed is the length of what precedes the name: the size of parts, and the length of the name.
const partsFixed = 8 + 2

// appendParts appends what only a ticket in parts has, and the name.
func (k *tokens) appendParts(b []byte, t ticket) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.parts.Size))
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.name))) // at most 255 bytes
	b = append(b, t.name...)
	return k.sealer.Seal(b, nil, []byte(t.upload), nil)
}

// readParts reads what appendParts has written. It returns false if anything else did.
func (k *tokens) readParts(t *ticket, b []byte) bool {
	if len(b) < partsFixed {
		return false
	}
	part, name := int64(binary.BigEndian.Uint64(b)), int(binary.BigEndian.Uint16(b[8:]))
	b = b[partsFixed:]
	if part < 1 || t.size < 1 || len(b) < name {
		return false
	}
	upload, err := k.sealer.Open(nil, nil, b[name:], nil)
	if err != nil {
		return false
	}
	t.name, t.upload = string(b[:name]), string(upload)
	t.parts = Parts{Size: part, Count: int((t.size + part - 1) / part)}
	return true
}
