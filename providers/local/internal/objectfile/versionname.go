package objectfile

import (
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// deletedSuffix ends the version of a delete marker. A delete marker is an empty file among the
// noncurrent versions. The digits before the suffix are the time of the removal, which is later
// than the times of all older versions.
const deletedSuffix = "-marker"

// IsMarker reports whether version is the version of a delete marker.
func IsMarker(version string) bool { return strings.HasSuffix(version, deletedSuffix) }

// VersionTime returns the time in a valid version, as Unix time in nanoseconds.
func VersionTime(version string) int64 {
	digits, _, _ := strings.Cut(version, "-")
	stamp, _ := strconv.ParseUint(digits, 16, 64)
	return int64(stamp)
}

// VersionOf returns the version of the file with the stat result m.
func VersionOf(meta osdir.Meta) string {
	b := append(appendTime(make([]byte, 0, 34), meta.MTime), '-')
	return string(strconv.AppendUint(b, meta.Ino, 16))
}

// MarkerOf returns the version of a delete marker. offset is the time of the marker, in
// nanoseconds.
func MarkerOf(offset int64) string {
	return string(append(appendTime(make([]byte, 0, 34), offset), deletedSuffix...))
}

// zeroTime is the time 0 in a version. Each time has as many digits.
const zeroTime = "0000000000000000"

// appendTime appends a time in nanoseconds, with leading zeros, so that versions are sorted by time.
func appendTime(b []byte, offset int64) []byte {
	digits := strconv.FormatUint(uint64(offset), 16)
	b = append(b, zeroTime[len(digits):]...)
	return append(b, digits...)
}

// errVersion is the error for a version that this package cannot have returned.
var errVersion = argument.Invalid("version", "must be one that this bucket returned", "")

// CheckVersion fails with InvalidArgument unless version is "" or has the form of a version.
func CheckVersion(version string) error {
	if version != "" && !ValidVersion(version) {
		return errVersion
	}
	return nil
}

// ValidVersion reports whether VersionOf or MarkerOf can return version: a time and an inode, both in
// hexadecimal digits, or a time and the mark of delete markers.
func ValidVersion(version string) bool {
	timeDigits, inodeDigits, ok := strings.Cut(version, "-")
	if !ok || len(timeDigits) != len(zeroTime) {
		return false
	}
	mtime, err := strconv.ParseUint(timeDigits, 16, 64)
	if err != nil {
		return false
	}
	// Only the form that MarkerOf or VersionOf writes is valid, for example with its leading zeros.
	if IsMarker(version) {
		return MarkerOf(int64(mtime)) == version
	}
	inode, err := strconv.ParseUint(inodeDigits, 16, 64)
	return err == nil && VersionOf(osdir.Meta{MTime: int64(mtime), Ino: inode}) == version
}
