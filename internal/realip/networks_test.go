package realip

import (
	"net/netip"
	"strings"
	"testing"
)

func networks(t testing.TB, list string) Networks {
	t.Helper()
	if list == "" {
		return nil
	}
	n, err := ParseNetworks(list)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestParseNetworks(t *testing.T) {
	for list, want := range map[string]string{
		"10.0.0.0/8":                          "10.0.0.0/8",
		" 10.0.0.0/8 ,192.0.2.1, ::1":         "10.0.0.0/8,192.0.2.1,::1",
		"2001:db8::/32,0.0.0.0/0,::/0":        "2001:db8::/32,0.0.0.0/0,::/0",
		"::ffff:10.0.0.0/104,::ffff:10.1.1.1": "10.0.0.0/8,10.1.1.1",
		"192.0.2.1/32":                        "192.0.2.1",
	} {
		if got := networks(t, list).String(); got != want {
			t.Errorf("ParseNetworks(%q) = %s, want %s", list, got, want)
		}
	}
}

func TestParseNetworks_NamesEachBadOne(t *testing.T) {
	for list, want := range map[string][]string{
		"":                               {`"" is not a network`},
		"10.0.0.0/8,":                    {`"" is not a network`},
		"10.0.0.0/33,::1,lan,10.0.0.0/8": {`"10.0.0.0/33" is not`, `"lan" is not`},
		"fe80::1%eth0":                   {`"fe80::1%eth0" is not`},
		"::ffff:10.0.0.0/80":             {`"::ffff:10.0.0.0/80" is not`},
		"10.0.0.1/8": {`"10.0.0.1/8" names a host inside its network: ` +
			`write 10.0.0.0/8 or 10.0.0.1`},
	} {
		n, err := ParseNetworks(list)
		if err == nil {
			t.Errorf("ParseNetworks(%q) = %v, want an error", list, n)
			continue
		}
		problems := strings.Split(err.Error(), "; ")
		if len(problems) != len(want) {
			t.Errorf("ParseNetworks(%q): %v, want %d problems", list, err, len(want))
			continue
		}
		for i, w := range want {
			if !strings.HasPrefix(problems[i], w) {
				t.Errorf("ParseNetworks(%q): %q, want %q", list, problems[i], w)
			}
		}
	}
}

func TestNetworks_Contains(t *testing.T) {
	for _, c := range []struct {
		list, addr string
		want       bool
	}{
		{"", "10.0.0.1", false},
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"10.0.0.1,192.0.2.0/24", "192.0.2.200", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"::/0", "10.0.0.1", false},
		{"0.0.0.0/0", "::1", false},
		{"fe80::/10", "fe80::1%eth0", true},
	} {
		if got := networks(t, c.list).Contains(addr(c.addr)); got != c.want {
			t.Errorf("%q contains %s: %v, want %v", c.list, c.addr, got, c.want)
		}
	}
	if networks(t, "0.0.0.0/0,::/0").Contains(netip.Addr{}) {
		t.Error("no address is in a network")
	}
}
