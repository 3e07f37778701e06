package driver

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
)

// StackIdentity returns the identity of what d shows: the place of its bucket, and the layers on the way
// there that change bytes or have a second store. Programs that keep something about objects beside them, such
// as a cache or a journal, keep it under this identity: another stack shows other bytes of the same objects.
//
// The result is 64 hexadecimal digits, without secrets. It is the same in every process, unless
// [Description.Location] or [Description.Stack] has a part that ends with the process, as that of a bucket in memory.
// It makes no request.
func StackIdentity(d Driver) string {
	desc := d.Describe()
	return hashOf(append([]string{"omnibucket stack 1", desc.Provider, desc.Location, desc.Bucket}, desc.Stack...)...)
}

// hashOf returns the SHA-256 of several texts, which no other texts have.
func hashOf(fields ...string) string {
	hash := sha256.New()
	for _, field := range fields {
		_ = binary.Write(hash, binary.BigEndian, int64(len(field))) // a hash never fails
		_, _ = io.WriteString(hash, field)
	}
	return hex.EncodeToString(hash.Sum(nil))
}
