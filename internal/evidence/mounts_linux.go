package evidence

import (
	"bufio"
	"os"
	"strings"
)

// readMounts reads the mounts that this process sees. The format is described in
// proc_pid_mountinfo(5).
func readMounts() ([]mount, bool) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, false
	}
	// An error of Close does not matter after reading.
	defer f.Close()
	var all []mount
	lines := bufio.NewScanner(f)
	// The line of an overlay with many layers is long.
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			return nil, false
		}
		all = append(all, mount{fields[0], fields[1], fields[2], escapes.Replace(fields[3]), escapes.Replace(fields[4])})
	}
	return all, lines.Err() == nil && len(all) > 0
}

var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
