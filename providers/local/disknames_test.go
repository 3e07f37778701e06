package local

import "strconv"

// These names in a bucket's directory are the same as in the code, and are repeated on purpose. If the code changes
// a name, a test fails, because buckets of earlier versions must stay readable.
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
