package uploads

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

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
