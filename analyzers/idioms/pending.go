package idioms

import "strings"

// pending has the folders that have such statements. None may be added.
var pending = []string{}

func isPending(path string) bool {
	for _, folder := range pending {
		if path == module+folder || folder != "" && strings.HasPrefix(path, module+folder+"/") {
			return true
		}
	}
	return false
}
