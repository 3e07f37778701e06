package idioms

import "strings"

// pending has the folders that have such statements. None may be added. Pages show these programs in a
// diff, line by line.
var pending = []string{
	"/tools/examples/migrating/aws",
	"/tools/examples/migrating/minio",
}

// isPending reports whether the package with this path is in a folder of pending.
func isPending(path string) bool {
	for _, folder := range pending {
		if path == module+folder || strings.HasPrefix(path, module+folder+"/") {
			return true
		}
	}
	return false
}
