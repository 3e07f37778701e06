package local

import "strconv"

// The names on the disk, written again: a bucket that an earlier version of the library has written must be
// readable, so that these names never change.
const (
	formatPath    = ".omnibucket/format.json"
	uploadKeyName = "key"
	sharedPrefix  = "shared-"
)

func uploadPath(upload string) string { return ".omnibucket/uploads/" + upload }

func partName(number int) string { return "part-" + strconv.Itoa(number) }

func slotName(number int) string { return "slot-" + strconv.Itoa(number) }

func placedName(number int) string { return "placed-" + strconv.Itoa(number) }

func sumName(number int) string { return "sum-" + strconv.Itoa(number) }
