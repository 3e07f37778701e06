// Package partsize chooses the size of the parts of an open upload, for the packages that let
// clients send them.
package partsize

import "github.com/omnibucket/storage"

// Base is the size of the parts of a file that fits into the store's number of parts, in bytes.
const Base = 8 << 20

// unit rounds the size of larger parts, in bytes.
const unit = 1 << 20

// For returns the size of all parts but the last, in bytes, for a file of size bytes, or of unknown
// size if it is -1. It is at least base, as far as limits allow.
func For(limits storage.PartLimits, size, base int64) int64 {
	part := max(base, limits.MinSize)
	if limits.MaxParts > 0 && size > 0 {
		part = max(part, (size-1)/int64(limits.MaxParts)+1)
	}
	round := min(unit, base)
	if limits.Unit > 0 {
		round = limits.Unit
	}
	part = (part + round - 1) / round * round
	if limits.MaxSize > 0 && part > limits.MaxSize {
		part = limits.MaxSize
		if limits.Unit > 0 {
			part -= part % limits.Unit
		}
	}
	return part
}
