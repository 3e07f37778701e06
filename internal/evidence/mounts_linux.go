package evidence

import (
	"bufio"
	"os"
	"strings"
)

// readMounts reads the mounts that this process sees, in the format of proc_pid_mountinfo(5).
func readMounts() ([]mount, bool) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, false
	}
	// An error of Close does not matter after reading.
	defer f.Close()

	var mounts []mount
	const maxLine = 1 << 20 // the line of an overlay with many layers is long
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			return nil, false
		}
		mounts = append(mounts, mount{
			id:     fields[0],
			parent: fields[1],
			device: fields[2],
			root:   escapes.Replace(fields[3]),
			point:  escapes.Replace(fields[4]),
		})
	}
	return mounts, lines.Err() == nil && len(mounts) > 0
}

var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
