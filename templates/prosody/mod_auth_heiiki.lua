-- Who logs in, as whom, and who reaches whom. One module, so that nothing is left open where it does not load:
-- prosody goes on without a module that fails, and without a provider of authentication no client logs in.

local jid = require "prosody.util.jid";
local sasl = require "prosody.util.sasl";
local set = require "prosody.util.set";
local st = require "prosody.util.stanza";
local x509 = require "ssl.x509";

local SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
local XMPP_ADDRESS = "1.3.6.1.5.5.7.8.5"; -- id-on-xmppAddr, RFC 6120 13.7.1.4
local SWEEP_S = 30;

local dras = assert(module:get_option_string("heiiki_dras"), "heiiki_dras is not set");
local devices_file = assert(module:get_option_string("heiiki_devices"), "heiiki_devices is not set");
local probe = module:get_option_string("heiiki_probe");
local trust = assert(module:get_option_string("heiiki_trust"), "heiiki_trust is not set");
local revoked = assert(module:get_option_string("heiiki_revoked"), "heiiki_revoked is not set");

local function content(path)
	local file = assert(io.open(path));
	local text = file:read("a");
	file:close();
	return assert(text, path .. " cannot be read");
end

local function read_devices()
	local found = set.new();
	for address in content(devices_file):gmatch("[^\n]+") do
		found:add(address);
	end
	return found;
end

local devices = read_devices();

-- Tells whether the CAs that are trusted now lead from a root to a certificate; in the TLS handshake those of then did.
local function is_of_a_known_ca(certificate)
	local pattern = "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-";
	local authorities = {};
	for block in content(trust):gmatch(pattern) do
		authorities[#authorities + 1] = assert(x509.load(block));
	end
	for _, authority in ipairs(authorities) do
		if authority:issued(certificate, table.unpack(authorities)) then
			return true;
		end
	end
	return false;
end

local function is_revoked(certificate)
	local serial = certificate:serial():lower():gsub("^0+", "");
	return content(revoked):find("\n" .. serial .. "\n", 1, true) ~= nil;
end

-- Returns why a certificate is not taken now, or nothing. A file that cannot be read refuses everybody.
local function why_refused(certificate)
	if not certificate then
		return "shows no certificate";
	end
	local ok, reason = pcall(function ()
		if not certificate:validat(os.time()) then
			return "its certificate is expired, or not yet valid";
		elseif not is_of_a_known_ca(certificate) then
			return "its certificate is of no CA that is trusted now";
		elseif is_revoked(certificate) then
			return "its certificate is revoked";
		end
	end);
	return reason or (not ok and "its certificate cannot be judged") or nil;
end

-- Returns the name before the @ of the one JID of this host in a certificate.
local function node_of(certificate)
	local names = certificate:extensions()[SUBJECT_ALTERNATIVE_NAME];
	local addresses = names and names[XMPP_ADDRESS] or {};
	if #addresses ~= 1 then
		return nil;
	end
	local node, host, resource = jid.prepped_split(addresses[1]);
	return host == module.host and not resource and node or nil;
end

local function is_known(address)
	return address == dras or address == probe or devices:contains(address);
end

local function log_in(session, authzid)
	local certificate = session.conn:ssl_peercertificate();
	local reason = why_refused(certificate);
	if reason then
		session.log("warn", "Not logged in: %s", reason);
		return nil;
	end
	local node = node_of(certificate);
	local address = node and jid.join(node, module.host);
	if not address or not is_known(address) then
		session.log("warn", "Not logged in: its certificate names no JID of a device in service");
	elseif authzid ~= "" and authzid ~= address then
		session.log("warn", "Not logged in: it is %s and asks to be %q", address, authzid);
	else
		return node, true;
	end
end

local function reaches(from, to)
	return (from == dras and devices:contains(to)) or (to == dras and devices:contains(from));
end

local PRESENCE = { [""] = true, unavailable = true, error = true };

-- Devices and DRAS, in all three kinds of stanza; presence that is addressed to no one, and nothing more.
local function is_allowed(origin, stanza)
	local to = stanza.attr.to;
	if stanza.name == "presence" and not PRESENCE[stanza.attr.type or ""] then
		return false;
	elseif not to then
		return stanza.name == "presence";
	end
	return reaches(jid.join(origin.username, origin.host), jid.bare(to));
end

local ANSWERS = { error = true, result = true };

module:hook("pre-stanza", function (event)
	local origin, stanza = event.origin, event.stanza;
	if is_allowed(origin, stanza) then
		return;
	end
	if not origin.heiiki_refused then
		origin.heiiki_refused = true; -- one line a session: who floods fills no log
		origin.log("warn", "Refused: %s from %s to %q", stanza.name, origin.full_jid, stanza.attr.to or "");
	end
	if not ANSWERS[stanza.attr.type] then
		origin.send(st.error_reply(stanza, "cancel", "policy-violation", "Devices speak with the DRAS alone"));
	end
	event.reason = "not a device and the DRAS";
	return true;
end, 1000);

-- Ends the sessions that would not be taken now: one that stands is asked nothing.
local function sweep()
	for name, user in pairs(prosody.hosts[module.host].sessions) do
		local known = is_known(jid.join(name, module.host));
		local sessions = {};
		for _, session in pairs(user.sessions) do
			sessions[#sessions + 1] = session;
		end
		for _, session in ipairs(sessions) do
			local reason = session.conn and why_refused(session.conn:ssl_peercertificate());
			reason = reason or (not known and "it is no device in service") or nil;
			if reason then
				session.log("warn", "Session of %s ended: %s", session.full_jid, reason);
				session:close({ condition = "not-authorized", text = "This certificate would not be taken now" });
			end
		end
	end
end

-- One that logged in before, and has no session yet, is not swept.
module:hook("pre-resource-bind", function (event)
	if why_refused(event.session.conn:ssl_peercertificate()) then
		return false;
	end
end);
module:hook_global("config-reloaded", function ()
	local ok, found = pcall(read_devices);
	devices = ok and found or set.new();
	if not ok then
		module:log("error", "No device is known: %s", found);
	end
	sweep();
end);
module:add_timer(SWEEP_S, function ()
	sweep();
	return SWEEP_S;
end);

module:provides("auth", {
	get_sasl_handler = function (session)
		return sasl.new(module.host, {
			external = session.secure and function (authzid)
				return log_in(session, authzid);
			end or nil;
		});
	end;
});
