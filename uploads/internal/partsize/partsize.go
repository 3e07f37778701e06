// Package partsize chooses the size of the parts of a multipart upload. It is for packages that let
// clients send the parts.
package partsize

import "github.com/omnibucket/storage"

// Base is the usual size of a part in bytes. Larger parts are only needed for a file that would
// otherwise have more parts than the store allows.
const Base = 8 << 20

// unit is the multiple to which the size of larger parts is rounded, in bytes.
const unit = 1 << 20

// For returns how many bytes each part of a file has, except the last one: at least base, unless the limits
// forbid this. The size of the file is -1 if it is not known.
func For(limits storage.PartLimits, size, base int64) int64 {
	part := max(base, limits.MinSize)
	if limits.MaxParts > 0 && size > 0 {
		// Divide and round up.
		part = max(part, (size-1)/int64(limits.MaxParts)+1)
	}

	// Round up to a multiple of the store's unit or, if it has none, of this package's unit or a smaller base.
	multiple := min(unit, base)
	if limits.Unit > 0 {
		multiple = limits.Unit
	}
	part = (part + multiple - 1) / multiple * multiple

	isTooLarge := limits.MaxSize > 0 && part > limits.MaxSize
	if isTooLarge {
		part = limits.MaxSize
		if limits.Unit > 0 {
			part -= part % limits.Unit
		}
	}
	return part
}
